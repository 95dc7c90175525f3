"""What judges answers: pure functions of a sample and its answer, which share nothing with the code that they judge."""
