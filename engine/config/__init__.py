"""What did the operator declare?"""
