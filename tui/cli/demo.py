"""`qd demo`: the whole console on a throw-away home, with replayed logs and live fake load; no network, no key."""

import argparse
import sys
import threading

from state.errors import UsageError
from tui.cli.flags import console_arguments, flags_in
from tui.cli.verb import Context, Output, Verb


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, metavar="N", help="end by itself after so many seconds")
    console_arguments(parser)


def _demo(context: Context) -> Output:
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("qd demo: it is a console of its own", "open it from a shell")
    flags = flags_in(context.options)
    if not flags.plain and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("qd demo: it needs a terminal", "open it from a shell, or read it out: qd demo --plain")
    from tui.demo.console import play

    code = play(flags, context.options.seconds)
    return Output({"ended": "left"}, "The demo is over; nothing of it is left.", ok=code == 0)


DEMO = Verb(_arguments, _demo)
