"""`qd web`: the same console in a browser, on loopback, behind a token."""

import argparse
import importlib.util
import os
import threading

from state.errors import Refused, UsageError
from tui.cli.asking import needs_operator
from tui.cli.verb import Context, Output, Verb

_HIGHEST = 65_535


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, metavar="N", help="listen there (a free one)")


def _web(context: Context) -> Output:
    port = context.options.port
    if threading.current_thread() is not threading.main_thread():
        raise UsageError("qd web: it serves until it is ended", "start it from a shell")
    if not 0 <= port <= _HIGHEST:
        raise UsageError(f"qd web: there is no port {port}", f"give one from 1 to {_HIGHEST}")
    needs_operator(os.environ)
    if importlib.util.find_spec("textual_serve") is None:
        raise Refused(
            "the console for browsers is an extra that is not installed",
            "install it: pipx install '.[web]', or make web",
        )
    from tui.web.server import serve

    serve(context.home, port, _told)
    return Output({"served": True}, "No longer served; what runs goes on.")


def _told(address: str) -> None:
    print(address, flush=True)
    print("Whoever has this address has your console. Ctrl+C ends it.", flush=True)


WEB = Verb(_arguments, _web)
