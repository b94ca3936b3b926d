"""The live view: what it reads, how it is laid out, and what its keys do."""
