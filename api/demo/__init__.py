"""The demo: every part as a process of its own, a month of simulated days in about a minute."""
