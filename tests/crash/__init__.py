"""Kills real processes at chosen places and at random, and asks every ledger afterwards whether anything was lost or done twice."""
