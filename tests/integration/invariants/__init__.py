"""Every invariant, with violations planted into a past that really happened."""
