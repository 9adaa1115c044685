"""What may come after a verb of `qd`? The thing that it is about, and its options."""

import argparse
import importlib
import re
from collections.abc import Sequence
from functools import lru_cache, partial

from tui.cli.commands import COMMANDS, Command
from tui.cli.verb import Parser, Verb

ABOUT: dict[tuple[str, ...], str] = {
    ("session", "show"): "session",
    ("session", "reset"): "session",
    ("say",): "session",
    ("attach",): "session",
    ("run", "show"): "run",
    ("run", "stop"): "run",
    ("interrupt",): "run",
    ("cron", "fire"): "job",
    ("cron", "pause"): "job",
    ("cron", "resume"): "job",
    ("cron", "remove"): "job",
    ("budget", "set"): "budget",
    ("budget", "remove"): "budget",
    ("skills", "set"): "skills",
    ("skills", "remove"): "skills",
}
"""By verb: the kind of thing whose name or number comes right after it."""
_OPTION = re.compile(r"^  (?:-\w, )?(--[\w-]+)(?: \S+| \{.*?\})*?(?:\s{2,}(.*))?$")
_WIDE = partial(argparse.HelpFormatter, width=1000, max_help_position=200)


def verb_of(words: Sequence[str]) -> Command | None:
    """The longest verb that these words begin with."""
    found = [one for one in COMMANDS if tuple(words[: len(one.words)]) == one.words]
    return max(found, key=lambda one: len(one.words), default=None)


@lru_cache(maxsize=64)
def options_of(command: Command) -> tuple[tuple[str, str], ...]:
    """Its options, each with what it says."""
    module, _, name = command.where.partition(":")
    verb: Verb = getattr(importlib.import_module(module), name)
    parser = Parser(prog="qd", allow_abbrev=False, add_help=False, formatter_class=_WIDE)
    verb.arguments(parser)
    found = (_OPTION.match(line) for line in parser.format_help().splitlines())
    said = [(match[1], match[2] or "") for match in found if match]
    return (*said, ("--json", "answer as JSON"))
