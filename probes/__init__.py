"""Questions to the live system and to what a load recorded: read-only, each answered by a Measurement."""
