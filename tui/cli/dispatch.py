"""Which verb do these words mean, and what does it answer? `qd` prints that; the console's `:` line shows it."""

import difflib
import importlib
import json
import os
import shlex
import sqlite3
import unicodedata

import msgspec

from state.errors import QuarterdeckError, StateError, UsageError
from state.home import Home
from tui.cli.commands import COMMANDS, match
from tui.cli.read_only import is_read_only, refuse_writing
from tui.cli.trouble import is_outside, told
from tui.cli.verb import Context, Output, Parser, Verb

Said = tuple[int, str, str]
"""Exit code, standard output, standard error."""


def capture(words: list[str], home: Home) -> Said:
    """Run a verb; an error becomes its one line."""
    try:
        return run(words, home)
    except QuarterdeckError as error:
        return error.exit_code, "", error.line


def run(words: list[str], home: Home) -> Said:
    """Run a verb. Raises QuarterdeckError."""
    if words[0] in ("-h", "--help", "help"):
        return 0, _overview(), ""
    command, rest = match(words)
    if command is None:
        return 2, "", _unknown(words)
    if is_read_only(os.environ):
        refuse_writing(words)
    module, _, name = command.where.partition(":")
    verb: Verb = getattr(importlib.import_module(module), name)
    parser = Parser(prog=" ".join(("qd", *command.words)), description=command.help, allow_abbrev=False, add_help=False)
    parser.add_argument("-h", "--help", action="store_true", help="show this help")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    verb.arguments(parser)
    if {"-h", "--help"} & set(before_dashes(rest)):
        return 0, parser.format_help().rstrip(), ""
    options = parser.parse_args(rest)
    _check_dashes(parser.prog, getattr(options, "argv", []), rest)
    output = _answer(verb, Context(home, options))
    return (0 if output.ok else 1), _as_json(output.data) if options.json else output.text, ""


def _answer(verb: Verb, context: Context) -> Output:
    """What the verb says. Trouble with disk or database becomes one of our errors, whichever room it comes from."""
    try:
        return verb.run(context)
    except BrokenPipeError:
        raise  # whoever read us has gone: no trouble of ours
    except StateError as error:
        if isinstance(error.__context__, sqlite3.Error) and is_outside(error.__context__):
            raise told(error.__context__, context.home) from None  # no backup would mend it
        raise
    except (sqlite3.Error, OSError) as error:
        raise told(error, context.home) from None


def _check_dashes(prog: str, argv: list[str], words: list[str]) -> None:
    """A program is only run where it stands after `--`: a slip of the fingers is none. Raises UsageError."""
    stray = argv[: len(argv) - len(words[len(before_dashes(words)) + 1 :])]
    if not stray:
        return
    verbs = [command.words[1] for command in COMMANDS if command.words[0] == "run" and len(command.words) == 2]
    near = difflib.get_close_matches(stray[0], verbs, n=1, cutoff=0.5)
    if stray[0].isascii() and stray[0].isdigit():
        fix = f"did you mean: qd run show {stray[0]}?"
    elif prog == "qd run" and near and len(stray) == 1:
        fix = f"did you mean: qd run {near[0]}?"
    else:
        fix = f"a program stands after --: {prog} -- {shlex.join(stray)}"
    raise UsageError(f"{prog}: {stray[0][:_SHOWN]!a} is no option of it", fix)


_SHOWN = 30
DELETE = "\x7f"
"""The one control character that JSON does not escape."""


def before_dashes(words: list[str]) -> list[str]:
    """What is ours of a command line; after `--` stands somebody else's."""
    return words[: words.index("--")] if "--" in words else words


def _as_json(data: object) -> str:
    """JSON that a terminal may be shown: what it would obey or hide is escaped, which decodes to the same."""
    text = msgspec.json.format(msgspec.json.encode(data), indent=2).decode()
    if text.isascii() and DELETE not in text:
        return text
    return "".join(json.dumps(char)[1:-1] if _unseen(char) else char for char in text)


def _unseen(char: str) -> bool:
    return char == DELETE or (not char.isascii() and unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cn"))


def _overview() -> str:
    width = max(len(" ".join(command.words)) for command in COMMANDS)
    lines = [f"  qd {' '.join(command.words).ljust(width)}  {command.help}" for command in COMMANDS]
    head = (
        "Quarterdeck: operate LLM agent sessions from one terminal.",
        "",
        f"  qd {''.ljust(width)}  open the console",
    )
    codes = (
        "Exit codes: 0 done, 1 failed or refused (a run: whatever did not succeed), 2 the command line makes no sense."
    )
    from tui.cli.flags import HELP

    flags = [f"  {name.ljust(width + 3)}  {said}" for name, said in HELP]
    told = ("", "Every verb takes --help, --json and --home DIR.", codes)
    return "\n".join((*head, *lines, "", "Flags of the console:", *flags, *told))


def _unknown(words: list[str]) -> str:
    known = [" ".join(command.words) for command in COMMANDS]
    longer = [name for name in known if name.startswith(f"{words[0]} ")]
    typed = " ".join(words[:2])
    near = longer or difflib.get_close_matches(typed, known, n=1) or difflib.get_close_matches(words[0], known, n=1)
    return f"qd: there is no '{typed}'; " + (f"did you mean: qd {', qd '.join(near)}?" if near else "see: qd --help")
