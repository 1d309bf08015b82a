"""Frozen values and pure functions: nothing here does I/O or reads a clock."""
