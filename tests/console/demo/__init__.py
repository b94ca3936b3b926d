"""Tests of `console/demo`."""
