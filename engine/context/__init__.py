"""What goes into this prompt, and what does each part cost?"""
