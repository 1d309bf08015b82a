"""Kinto, a document store with an HTTP API, as somebody else's application."""
