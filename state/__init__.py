"""What happened: the only code that knows SQL."""
