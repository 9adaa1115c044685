"""Does it hold here?"""
