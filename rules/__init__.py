"""Pure decisions: facts in, a decision as a value out.

Lives here: verdicts, the diff of two views of the legs, phases and target prices, sizing,
symbols, what a venue's errors mean for a close. Does not live here: I/O, clocks, randomness,
logging, actors. Every function may be called twice with the same facts and says the same.
"""
