"""Changes that recover from the loss of a region or of its database, and those that lead back."""
