"""The sandbox: a billing platform with a simulated population, a process of its own."""
