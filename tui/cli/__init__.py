"""`qd ...`: every verb of the console as a command."""
