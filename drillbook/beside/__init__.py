"""Processes of their own beside a run: they watch, write, ask, make load, and put back when the run died."""
