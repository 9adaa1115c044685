"""What to do about it: compose, admit, execute and settle every run. No SQL on our database, no widgets."""

__version__ = "0.1.0"
