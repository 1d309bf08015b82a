"""What can be wrong with a migration."""


class MigrationError(Exception):
    """The schema, or what it holds, is not what it should be; the text says why."""
