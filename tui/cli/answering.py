"""What does a live run's program ask, and what does whoever sits at the terminal say to it? One question at a time."""

import hashlib
import os
import select
import sys

from engine.contract.orders import Decide
from engine.runtime.client import Client
from engine.runtime.questions import Permission, read_permission
from state import approvals
from state.database import Connection
from state.errors import QuarterdeckError
from state.home import Home
from tui.cli.telling import Teller

SHORT_LINES = 12
"""A question of more lines is first shown without the rest: it cannot be allowed before it was read."""
_WORDS = {"y": True, "yes": True, "n": False, "no": False}
_READ_BYTES = 4096


class Asker:
    """Puts the questions of one run, and orders the answers."""

    def __init__(self, home: Home, connection: Connection, run_id: int, teller: Teller) -> None:
        self._home = home
        self._connection = connection
        self._run_id = run_id
        self._teller = teller
        self._shown: approvals.Approval | None = None
        self._whole = False
        """Whether all of it was shown."""
        self._deaf = False

    def look(self) -> None:
        """Put the next question, withdraw one that is answered, take an answer: whatever there is to do now."""
        asked = [one for one in approvals.permissions(self._connection, self._run_id) if one.state == "open"]
        if self._shown is not None and self._shown.id not in {one.id for one in asked}:
            self._say("answered elsewhere")
            self._shown = None
        if self._shown is None and asked and not self._deaf:
            self._put(asked[0])
        if self._shown is not None and select.select([sys.stdin], [], [], 0)[0]:
            self._take(self._shown, os.read(sys.stdin.fileno(), _READ_BYTES))

    def _put(self, asked: approvals.Approval) -> None:
        lines = question_lines(read_permission(asked.what))
        self._shown, self._whole = asked, len(lines) <= SHORT_LINES
        if self._whole:
            self._say(*lines)
        else:
            self._say(*lines[:SHORT_LINES], f"({len(lines) - SHORT_LINES:,} more lines: d shows them)")
        self._prompt()

    def _take(self, asked: approvals.Approval, typed: bytes) -> None:
        if not typed:  # nobody is there any more
            self._deaf, self._shown = True, None
            self._say(f"nobody answers here: qd approve {asked.id}, qd deny {asked.id}")
            return
        word = typed.decode(errors="replace").strip().lower()
        if word in ("d", "details"):
            self._say(*question_lines(read_permission(asked.what)))
            self._whole = True
        elif _WORDS.get(word) is False or (word in _WORDS and self._whole):
            self._answer(asked, _WORDS[word])
            return
        elif word in _WORDS:
            self._say("not all of it has been shown: d does that")
        self._prompt()

    def _answer(self, asked: approvals.Approval, approve: bool) -> None:
        self._shown = None
        sha256 = hashlib.sha256(asked.what.encode()).hexdigest()
        try:
            Client(self._home).order("decide", Decide(asked.id, approve, sha256))
        except QuarterdeckError as error:
            self._say(error.line)

    def _prompt(self) -> None:
        print("[y]es, [n]o, [d]etails? ", end="", file=sys.stderr, flush=True)

    def _say(self, *lines: str) -> None:
        self._teller.end_line()
        print("\n".join(lines), file=sys.stderr, flush=True)


def question_lines(asked: Permission) -> list[str]:
    """All of it: what an eye would miss is spelled out."""
    from tui.clean import clean, clean_whole

    head = clean(f"{asked.agent} asks: {asked.tool}" + (f" {asked.path}" if asked.path else ""))
    return [head, *(f"  {line}" for line in clean_whole(asked.what))]
