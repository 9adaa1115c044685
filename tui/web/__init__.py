"""How is the console shown in a browser? Served on loopback, behind a token, by the extra `quarterdeck[web]`."""
