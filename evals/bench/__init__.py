"""``make bench``: what each of Recoup's promises about speed comes to on this machine, measured beside its yardstick in the same run."""
