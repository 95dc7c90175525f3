"""Policies of recovery played against one another in a world, on equal draws."""
