"""How many tokens is this text?"""
