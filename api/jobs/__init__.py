"""What a worker does, one use case a file."""
