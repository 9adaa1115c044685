"""What may a run touch, do two runs share a path, and did one go beyond?"""
