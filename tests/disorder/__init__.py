"""A world of events in any order, driven by Hypothesis over a real PostgreSQL."""
