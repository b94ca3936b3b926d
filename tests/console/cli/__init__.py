"""Tests of `console/cli`."""
