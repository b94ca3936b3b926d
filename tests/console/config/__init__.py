"""Tests of `console/config`."""
