"""How does a command line say a value: `60k` tokens, `1.5` dollars, `10m`, `who=ops`? Types for argparse."""

import argparse
import math

from engine.config.durations import seconds
from engine.config.rules import MOST_USD

_SHOWN = 30
_SCALES = {"k": 1_000, "m": 1_000_000}
MOST_TOKENS = 10**12
"""What is above is no limit but a slip of the pen, and more than a database holds is near."""
LAST_NUMBER = 2**63 - 1
"""Of runs, sessions and questions: what a database can hold."""
MOST_LISTED = 10**9
MOST_TURNS = 10**6


def tokens(text: str) -> int:
    """`60000`, `60k`, `1.5M`; zero is a number of tokens, too."""
    scaled = text[-1:].lower() in _SCALES
    number, scale = (text[:-1], _SCALES[text[-1].lower()]) if scaled else (text, 1)
    try:
        found = round(float(number) * scale)
    except (ValueError, OverflowError):
        found = -1
    if not 0 <= found <= MOST_TOKENS:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of tokens; write it like 60000, 60k or 1.5M")
    return found


def some_tokens(text: str) -> int:
    """The same, but at least one."""
    found = tokens(text)
    if found == 0:
        raise argparse.ArgumentTypeError("no run fits into no tokens at all; give at least 1")
    return found


def dollars(text: str) -> float:
    """`1.5`, `0.05`."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found <= MOST_USD:
        raise argparse.ArgumentTypeError(f"'{text}' is no amount of dollars; write it like 2 or 0.05")
    return found


def number(text: str) -> int:
    """Of a run, a session or a question."""
    return _whole(text, 1, LAST_NUMBER)


def how_many(text: str) -> int:
    """Entries of a list."""
    return _whole(text, 0, MOST_LISTED)


def some_turns(text: str) -> int:
    """Requests to a model, at least one."""
    return _whole(text, 1, MOST_TURNS)


def _whole(text: str, least: int, most: int) -> int:
    try:
        found = int(text)
    except ValueError:
        found = least - 1
    if not least <= found <= most:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise argparse.ArgumentTypeError(f"invalid int value: {shown!a}; give one from {least} to {most:,}")
    return found


def duration(text: str) -> float:
    """A duration in seconds."""
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parameter(text: str) -> tuple[str, str]:
    """`NAME=VALUE`, where the value may be empty or hold more of them."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!a} has no value; write it as NAME=VALUE")
    return name, value
