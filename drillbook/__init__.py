"""Proves that a deployment strategy holds, by exercising it."""

__version__ = "0.1.0"
