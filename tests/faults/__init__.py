"""Faults planted by hand in a copy of the product, to show that its tests would notice them."""
