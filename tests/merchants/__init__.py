"""Merchants at Stripe and Recurly: the whole of Recoup in process, over a real database and before a served double."""
