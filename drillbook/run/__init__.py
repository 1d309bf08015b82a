"""One run: its folder, clock, lock, undo journal, load and experiments."""
