"""Changes to the system: each one thing that says what it does, knows its undo and proves that it happened."""
