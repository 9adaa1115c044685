"""Which rows of a list are seen, in which order, and what of one is copied or stands out?"""
