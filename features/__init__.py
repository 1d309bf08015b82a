"""What must hold, in business words."""
