"""Which multiplexer takes what we write, and how does a sequence get through it to the terminal around it?

The environment names both where one runs in the other; which of them is the inner one, our ancestors tell.
"""

from collections.abc import Mapping
from typing import Literal

Around = Literal["tmux", "screen", ""]
"""The innermost one; empty where there is none, or none is known for sure."""
ESC, BEL, ST = "\x1b", "\a", "\x1b\\"
_SCREEN_PART = 240
"""GNU screen passes on so many characters at once."""
_MOST = 64
"""Ancestors that are looked at."""


def around(environ: Mapping[str, str]) -> Around:
    """What is between us and the terminal."""
    tmux, screen = bool(environ.get("TMUX")), bool(environ.get("STY"))
    if tmux and screen:
        return inner(ancestors())
    return "tmux" if tmux else "screen" if screen else ""


def inner(names: tuple[str, ...]) -> Around:
    """The nearest one of the programs that we descend from."""
    for name in names:
        if name.startswith("tmux"):
            return "tmux"
        if name.casefold().startswith("screen"):
            return "screen"
    return ""


def ancestors() -> tuple[str, ...]:
    """The names of the processes above us, the nearest one first, as far as they can be seen."""
    names: list[str] = []
    process = "self"
    while process != "0" and len(names) < _MOST:
        try:
            with open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123
                before, _, after = file.read().rpartition(b")")
        except OSError:
            break
        names.append(before.partition(b"(")[2].decode("utf-8", "replace"))
        process = after.split()[1].decode()
    return tuple(names[1:])


def through_tmux(sequence: str) -> str:
    """For the terminal around tmux, where `allow-passthrough` is on: every escape doubled, in an envelope."""
    return f"{ESC}Ptmux;{sequence.replace(ESC, ESC * 2)}{ST}"


def through_screen(sequence: str) -> str:
    """For the terminal around GNU screen: in parts, each in an envelope. What it holds must not end as that does."""
    parts = (sequence[at : at + _SCREEN_PART] for at in range(0, len(sequence), _SCREEN_PART))
    return "".join(f"{ESC}P{part}{ST}" for part in parts)
