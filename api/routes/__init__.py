"""One module a resource of /api/v1."""
