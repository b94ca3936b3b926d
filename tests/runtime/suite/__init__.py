"""One test for each case of OTP's `supervisor_SUITE` and Elixir's DynamicSupervisor that applies.

Written anew from what each case proves; its name stands in the test's docstring, and the table of
all cases in `docs/runtime.md`. Where a case has several stages, so has its test.
"""
