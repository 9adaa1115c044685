"""`qd --plain`: the console as lines of text."""
