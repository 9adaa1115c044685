"""What does Quarterdeck look like at work? The whole console on a throw-away home with replayed logs and fake load."""
