"""Billing platforms: what their webhooks say, and the adapters that read and act."""
