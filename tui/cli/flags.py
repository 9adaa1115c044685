"""What was said of the console before any verb? Flags for this one console; without them, as the configuration says."""

import argparse
from collections.abc import Callable, MutableMapping
from typing import Any

import msgspec

from engine.config.durations import seconds
from state.errors import UsageError
from tui.options import Flags

HELP = (
    ("--read-only", "show everything, change nothing; with a verb too"),
    ("--plain", "no screen: what there is as lines, then what changes; for screen readers and pipes"),
    ("--low-bandwidth", "for a slow link: sixteen colours, one refresh a second, no pointer"),
    ("--ascii", "draw with ASCII alone"),
    ("--no-mouse", "leave the pointer to the terminal, so that its own selection works"),
    ("--theme NAME", "dark, light, ansi, mono, or a file of yours: themes/NAME.toml beside the configuration"),
    ("--refresh DURATION", "how often changes are looked for and painted, at most: 100ms, 2s"),
)
"""As `qd --help` shows them."""

SHORTEST_S, LONGEST_S = 0.05, 60.0
_SWITCHES = {
    "--read-only": "read_only",
    "--plain": "plain",
    "--low-bandwidth": "low_bandwidth",
    "--ascii": "ascii",
    "--no-mouse": "no_mouse",
}


def take_flags(words: list[str]) -> tuple[Flags, list[str]]:
    """The flags that stand before anything else, and the words after them. Raises UsageError."""
    said: dict[str, Any] = {}
    while words:
        name, equals, value = words[0].partition("=")
        if name in _SWITCHES and not equals:
            said[_SWITCHES[name]] = True
            words = words[1:]
        elif name in _VALUES:
            if not equals and len(words) < 2:
                raise UsageError(f"qd: {name} needs a value", "see: qd --help")
            key, read = _VALUES[name]
            said[key] = read(value if equals else words[1])
            words = words[1:] if equals else words[2:]
        else:
            break
    return Flags(**said), words


def console_arguments(parser: argparse.ArgumentParser) -> None:
    """The same flags, behind a verb that opens a console of its own."""
    for said, told in HELP:
        name, _, metavar = said.partition(" ")
        if name in _SWITCHES:
            parser.add_argument(name, action="store_true", help=told)
        else:
            key, read = _VALUES[name]
            parser.add_argument(name, dest=key, type=read, metavar=metavar, help=told)


def flags_in(options: argparse.Namespace) -> Flags:
    """What was said by them."""
    return Flags(**{name: getattr(options, name) for name in Flags.__struct_fields__})


def check_verb(flags: Flags, words: list[str], environ: MutableMapping[str, str]) -> None:
    """Before a verb only `--read-only` has a meaning: it holds for the verb too. Raises UsageError."""
    if flags.read_only:
        environ["QUARTERDECK_READ_ONLY"] = "1"
    if msgspec.structs.replace(flags, read_only=False) != Flags():
        raise UsageError(
            f"qd: flags of the console stand without a verb, and here is {words[0]!r}", "see: qd --help; qd demo --help"
        )


def _refresh_s(text: str) -> float:
    try:
        found = seconds(text)
    except ValueError:
        raise UsageError(f"qd: --refresh {text!r} is no duration", "write 100ms, 2s") from None
    if not SHORTEST_S <= found <= LONGEST_S:
        raise UsageError(f"qd: --refresh {text} is out of bounds", "from 50ms to 60s")
    return found


_VALUES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "--theme": ("theme", str),
    "--refresh": ("refresh_s", _refresh_s),
}
