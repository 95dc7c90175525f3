"""Words: one file a text, rendered strictly from typed slots."""
