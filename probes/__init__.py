"""Questions to the live system and to what the load recorded: read-only, each answers a measurement."""
