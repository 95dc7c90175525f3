"""When to try, when to write, when to leave it: expected value over the slots of a case's weeks."""
