"""What becomes of a run that has ended: put back, let through or not, signed, kept, and told."""
