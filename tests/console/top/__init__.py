"""Tests of `console/top`."""
