"""What the operator sees and types: the console and the `qd` command line."""
