"""What may be done where everything is only looked at? Whatever changes nothing."""

from collections.abc import Mapping, Sequence

from state.errors import Refused
from tui.cli.commands import match

VARIABLE = "QUARTERDECK_READ_ONLY"


def is_read_only(environ: Mapping[str, str]) -> bool:
    """Whether the environment says so; `qd --read-only` puts it there."""
    return bool(environ.get(VARIABLE))


def refuse_writing(words: Sequence[str]) -> None:
    """Raise Refused when these words are a verb that changes something, or has something done."""
    command, _ = match(list(words))
    if command is not None and command.writes:
        typed = " ".join(("qd", *command.words))
        raise Refused(f"{typed} changes something, and here is read-only", f"unset {VARIABLE} or --read-only")
