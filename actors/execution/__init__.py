"""What runs in the exchange actor's workers: a close from size to verification, stops, clean-up.

Lives here: sending orders and finding out what became of them, the evidence about one leg.
Does not live here: when a position is due to be closed (`aged_leg`), or what a refusal means
(`rules`).
"""
