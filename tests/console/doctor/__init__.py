"""Tests of `console/doctor`."""
