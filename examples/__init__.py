"""Other people's applications, to show what it takes to drill one."""
