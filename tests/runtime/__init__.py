"""The runtime's conformance suite: OTP's supervision, scenario by scenario, in virtual time."""
