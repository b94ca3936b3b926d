"""What benches are made of: a line with latency, a guard as a process, a bare script beside it.

Does not live here: what is measured and which goal it has (the benches themselves).
"""
