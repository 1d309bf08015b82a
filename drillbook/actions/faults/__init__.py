"""Faults: each a change like any other, with an undo that is written ahead and a proof that it bit."""
