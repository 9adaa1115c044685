"""The frozen values that the rooms of the engine hand each other."""
