"""May it run? One verdict that lists every check."""
