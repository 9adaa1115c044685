"""`qd`: which verb was typed? Without one, the console.

`--version` answers before anything is imported; a verb's module is imported after it is known.
"""

import sys
from collections.abc import Sequence

from engine import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """The program. Exit codes: 0 done, 1 failed or refused, 2 the command line makes no sense."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (["--version"], ["-V"]):
        print(f"quarterdeck {__version__}")
        return 0
    from state.errors import QuarterdeckError, UsageError

    try:
        return _main(words)
    except QuarterdeckError as error:
        print(f"qd: {error.line}" if not isinstance(error, UsageError) else error.line, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130


def _main(words: list[str]) -> int:
    import os

    from state.home import find_home

    flag, words = _take_home(words)
    home = find_home(flag, os.environ)
    if not words:
        return _console(home)
    code, out, err = _run(words, home)
    if out:
        print(out)
    if err:
        print(err, file=sys.stderr)
    return code


def capture(words: list[str], home: object) -> tuple[int, str, str]:
    """Run a verb without printing: exit code, standard output, standard error. For the console's `:` line."""
    from state.errors import QuarterdeckError
    from state.home import Home

    assert isinstance(home, Home), "a Home"
    try:
        return _run(words, home)
    except QuarterdeckError as error:
        return error.exit_code, "", error.line


def _run(words: list[str], home: object) -> tuple[int, str, str]:
    from state.home import Home
    from tui.cli.commands import match

    assert isinstance(home, Home), "a Home"
    if words[0] in ("-h", "--help", "help"):
        return 0, _overview(), ""
    command, rest = match(words)
    if command is None:
        return 2, "", _unknown(words)

    import importlib

    from tui.cli.verb import Context, Parser, Verb

    module, _, name = command.where.partition(":")
    verb = getattr(importlib.import_module(module), name)
    assert isinstance(verb, Verb), command.where
    parser = Parser(prog=" ".join(("qd", *command.words)), description=command.help, allow_abbrev=False, add_help=False)
    parser.add_argument("-h", "--help", action="store_true", help="show this help")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    verb.arguments(parser)
    if "-h" in _before_dashes(rest) or "--help" in _before_dashes(rest):
        return 0, parser.format_help().rstrip(), ""
    options = parser.parse_args(rest)
    output = verb.run(Context(home, options))
    return (0 if output.ok else 1), _said(output.data) if options.json else output.text, ""


def _said(data: object) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode()


def _before_dashes(words: list[str]) -> list[str]:
    return words[: words.index("--")] if "--" in words else words


def _take_home(words: list[str]) -> tuple[str | None, list[str]]:
    """`--home DIR` may stand anywhere before `--`."""
    from state.errors import UsageError

    for number, word in enumerate(_before_dashes(words)):
        if word.startswith("--home="):
            return word.removeprefix("--home="), words[:number] + words[number + 1 :]
        if word == "--home":
            if number + 1 >= len(words):
                raise UsageError("qd: --home needs a folder")
            return words[number + 1], words[:number] + words[number + 2 :]
    return None, words


def _overview() -> str:
    from tui.cli.commands import COMMANDS

    width = max(len(" ".join(command.words)) for command in COMMANDS)
    lines = [f"  qd {' '.join(command.words).ljust(width)}  {command.help}" for command in COMMANDS]
    return "\n".join(
        (
            "Quarterdeck: operate LLM agent sessions from one terminal.",
            "",
            f"  qd {''.ljust(width)}  open the console",
            *lines,
            "",
            "Every verb takes --help, --json and --home DIR.",
        )
    )


def _unknown(words: list[str]) -> str:
    import difflib

    from tui.cli.commands import COMMANDS

    typed = " ".join(words[:2])
    known = [" ".join(command.words) for command in COMMANDS]
    longer = [name for name in known if name.startswith(f"{words[0]} ")]
    near = longer or difflib.get_close_matches(typed, known, n=1) or difflib.get_close_matches(words[0], known, n=1)
    return f"qd: there is no '{typed}'; " + (f"did you mean: qd {', qd '.join(near)}?" if near else "see: qd --help")


def _console(home: object) -> int:
    import os

    from state.errors import UsageError
    from state.home import Home

    assert isinstance(home, Home), "a Home"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("qd: the console needs a terminal", "use a verb instead, for instance: qd sessions, qd --help")
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        raise UsageError(
            "qd: this terminal cannot show the console (TERM is dumb or unset)", "set TERM, or use a verb: qd --help"
        )
    from tui.app import run_console

    return run_console(home)


if __name__ == "__main__":
    sys.exit(main())
