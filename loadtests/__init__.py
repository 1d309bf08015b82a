"""Load and meter: users on the system, an open-loop schedule, and the ledger of what the system acknowledged."""
