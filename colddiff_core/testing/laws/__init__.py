"""The laws: every `Check` in these modules is one, in the order in which it stands there."""
