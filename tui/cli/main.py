"""`qd`: which verb was typed? Without one, the console.

`--version` answers before anything is imported; a verb's module is imported after it is known.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine import __version__
from state.errors import QuarterdeckError, UsageError

if TYPE_CHECKING:
    from state.home import Home
    from tui.options import Flags


def main(argv: Sequence[str] | None = None) -> int:
    """The program. Exit codes: 0 done, 1 failed or refused, 2 the command line makes no sense."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (["--version"], ["-V"]):
        print(f"quarterdeck {__version__}")
        return 0
    try:
        return _main(words)
    except UsageError as error:
        print(error.line, file=sys.stderr)
        return error.exit_code
    except QuarterdeckError as error:
        print(f"qd: {error.line}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read us has gone: keep the interpreter from writing to the pipe once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _main(words: list[str]) -> int:
    from state.home import find_home
    from tui.cli.dispatch import run
    from tui.cli.flags import check_verb, take_flags

    flag, words = _take_home(words)
    home = find_home(flag, os.environ)
    flags, words = take_flags(words)
    if not words:
        return _console(home, flags)
    check_verb(flags, words, os.environ)
    code, out, err = run(words, home)
    if out:
        _print(out)
    if err:
        print(err, file=sys.stderr)
    return code


def _print(text: str) -> None:
    """Raises BrokenPipeError where nobody reads, and QuarterdeckError where it cannot be written."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise QuarterdeckError(f"cannot write the answer: {error.strerror}") from None


def _console(home: "Home", flags: "Flags") -> int:
    if flags.plain:
        from tui.plain.console import run_plain

        return run_plain(home, flags)
    _check_terminal()
    from tui.console.app import run_console

    return run_console(home, flags)


def _take_home(words: list[str]) -> tuple[str | None, list[str]]:
    """`--home DIR` may stand anywhere before `--`."""
    from tui.cli.dispatch import before_dashes

    for number, word in enumerate(before_dashes(words)):
        if word.startswith("--home="):
            return word.removeprefix("--home="), words[:number] + words[number + 1 :]
        if word == "--home":
            if number + 1 >= len(words):
                raise UsageError("qd: --home needs a folder")
            return words[number + 1], words[:number] + words[number + 2 :]
    return None, words


def _check_terminal() -> None:
    """Raise UsageError where the console could not be seen: Textual sends its codes even to a dumb terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("qd: the console needs a terminal", "here goes: qd --plain, or a verb: qd sessions, qd --help")
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        raise UsageError(
            "qd: this terminal cannot show the console (TERM is dumb or unset)", "set TERM, or use: qd --plain"
        )


if __name__ == "__main__":
    sys.exit(main())
