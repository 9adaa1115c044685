"""What does the doctor say of one thing that it has looked at?"""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One thing looked at."""

    name: str
    level: str
    """`ok`, `note` or `problem`."""
    text: str
    fix: str = ""
