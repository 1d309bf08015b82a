"""Database migrations: what their scripts may do, and what is concluded from one that was run under load."""
