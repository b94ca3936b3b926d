"""Tests of `console/service`."""
