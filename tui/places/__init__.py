"""Where can one be, where does a line after `:` go, and what has been typed there?"""
