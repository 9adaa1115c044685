"""How are agents and client programs named in lists and on pages? In one way, and in few cells."""

_SHORT = {"claude_code": "claude"}
"""Client programs of which the name is too long for a column."""


def called(name: str) -> str:
    """An agent, or the source of a session."""
    return _SHORT.get(name, name)
