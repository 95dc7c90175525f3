"""Proof: checks that share nothing with what they check."""
