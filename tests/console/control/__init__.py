"""Tests of `console/control`."""
