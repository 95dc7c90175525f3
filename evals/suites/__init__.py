"""One suite a file: its dataset has the file's name."""
