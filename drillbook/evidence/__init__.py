"""Reports from a run's folder alone, so that anyone can make them again, and judge them again, elsewhere."""
