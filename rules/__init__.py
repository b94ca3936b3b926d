"""What to do, decided purely: facts go in, a decision comes out as a value.

Lives here: verdicts, the diff of two views of the legs, phases and target prices, sizing,
symbols, exits and PnL, the meaning of refusals, the order ladder, protection, orphans, order
ids, leftovers, the words of alerts. Does not live here: any I/O, any clock, any log line, any
state that outlives a call. Whoever calls says what time it is.
"""
