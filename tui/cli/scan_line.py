"""How far is the scan that a verb waits for? One line on a terminal, written over itself, and gone when it is done."""

import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from state import events
from state.database import open_reader
from state.errors import StateError
from state.home import Home
from tui.cli.verb import page

WORDLESS_S = 1.0
"""What takes no longer needs no word."""
_EVERY_S = 0.25
_NOTICE = "scan"


@contextmanager
def scan_shown(home: Home) -> Iterator[None]:
    """While this lasts, on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    teller = threading.Thread(target=_tell, args=(home, done), name="scan", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def scan_said(home: Home) -> str:
    """What the books say of a scan that goes on; empty when there is none, or no books yet."""
    from tui.clean import clean

    try:
        connection = open_reader(home)
        if connection is None:
            return ""
        try:
            notice = events.notice(connection, _NOTICE)
        finally:
            connection.close()
    except (StateError, sqlite3.Error):
        return ""  # whoever waits for the answer will be told
    return clean(notice.text) if notice else ""


def _tell(home: Home, done: threading.Event) -> None:
    shown = 0
    width = (page().width or 80) - 1
    wait_s = WORDLESS_S
    while not done.wait(wait_s):
        wait_s = _EVERY_S
        said = scan_said(home)[:width]
        if said or shown:
            sys.stderr.write(f"\r{said.ljust(shown)}")
            sys.stderr.flush()
            shown = len(said)
    if shown:
        sys.stderr.write(f"\r{' ' * shown}\r")
        sys.stderr.flush()
