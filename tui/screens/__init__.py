"""Sheets, details and dialogs that cover the overview."""
