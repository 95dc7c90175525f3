"""What we know: the rows in PostgreSQL, one module a table or a family of them."""
