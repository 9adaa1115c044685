"""When is it due, and what if we were away?"""
