"""One module a family of invariants."""
