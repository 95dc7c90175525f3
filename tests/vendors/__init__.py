"""Doubles of the vendors' APIs, written from their specifications alone, and the check of every exchange against those specifications."""
