"""The guard beside a real bot: freqtrade, live, on the simulated venues. `make beside` plays it.

Four processes stand beside one another as they would at a user's: the venue, freqtrade in an
environment of its own, the guard, and this, which plays a script and writes down what was said.
`bot/` is what freqtrade is given; nothing of it is imported here.
"""
