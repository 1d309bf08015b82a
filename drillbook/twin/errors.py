"""What the twin's errors have in common."""


class TwinError(Exception):
    """The twin was not made, changed or removed as asked; the text says what is in the way."""
