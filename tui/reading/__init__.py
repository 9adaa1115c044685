"""What does the console read of the state, and what of that has changed? Nothing here draws."""
