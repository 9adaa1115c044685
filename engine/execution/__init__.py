"""Run it and never lose it."""
