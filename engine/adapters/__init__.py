"""How does one speak to this agent? A launch becomes an argv, output becomes events."""
