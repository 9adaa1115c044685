"""Resume or start afresh, and why?"""
