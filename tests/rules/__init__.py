"""Tests of the rules: examples from the scenarios, and properties over generated facts."""
