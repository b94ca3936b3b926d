"""The documents are true: links, commands, settings, and every sample of output.

Lives here: the guard that the samples come from, and their rewriting (`make docs`). Does not live
here: what the commands do, which their own rooms test.
"""
