"""Doctor: what would go wrong, told before going live. It changes nothing anywhere."""
