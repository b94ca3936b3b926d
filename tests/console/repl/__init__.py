"""Tests of `console/repl`."""
