"""Hands: the platforms, the mail and the sandbox, over the wire."""
