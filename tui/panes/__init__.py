"""One table each, with its own keys."""
