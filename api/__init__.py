"""The doors: webhooks, the HTTP API, the command line, and the worker's jobs."""
