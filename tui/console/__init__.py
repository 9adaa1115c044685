"""The console: one Textual app, put together from what it does for the operator."""
