"""How does the console speak with its terminal, and with little? Bytes, colours, keys, and the way out."""
