"""How do the console's wishes reach the engine? In threads, since every way to it blocks; answers come as messages."""

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from textual.message import Message

from engine.contract.orders import Nothing, Preview, PreviewAnswer, RunRequest
from engine.contract.verdict import ReceiptView, Verdict
from engine.runtime.client import Attachment, Client
from state.errors import QuarterdeckError
from state.home import Home
from tui.clean import clean, clean_record
from tui.messages import CommandAnswered, EngineCame, EngineFailed, EngineGone, OrderAnswered, OrderFailed, VerdictCame

PREVIEW_PATIENCE_S = 5.0
_STEP_S = 0.02
STEADY_S = 60.0
"""An engine that dies so long after the one before it is replaced at once; sooner, they may all die of one cause."""
_PAUSES_S = (0.0, 5.0, 10.0, 20.0, 30.0)

Done = Callable[[Any], None]
Failed = Callable[[str], None]


class Link:
    """One console's presence at the engine. Nothing here waits; `post` must be safe to call from any thread."""

    def __init__(self, home: Home, post: Callable[[Message], object]) -> None:
        self._home, self._post = home, post
        self._attachment: Attachment | None = None
        self._asked = 0
        self._lock = threading.Lock()
        self._ended = False
        self._hint = threading.Event()
        """The engine may have come or gone: look."""

    def attach(self) -> None:
        """Find or start an engine and stay attached; when it dies, have another one.

        Posts EngineCame, EngineGone and EngineFailed.
        """
        _in_thread(self._attend)

    def look(self) -> None:
        """There may be no engine any more, or one again that somebody else started: look now."""
        self._hint.set()

    def leave(self) -> None:
        """Give the attachment back; the engine may end when nobody else needs it."""
        self._ended = True
        self._hint.set()
        with self._lock:
            if self._attachment is not None:
                self._attachment.release()
                self._attachment = None

    def order(self, kind: str, body: object, done: Done | None = None, failed: Failed | None = None) -> None:
        """Ask the engine for something. Posts OrderAnswered or OrderFailed."""
        _in_thread(lambda: self._guarded(kind, lambda: self._order(kind, body), done, failed))

    def attach_run(self, session_id: int, done: Done) -> None:
        """Ask for a run that gets this terminal. Posts OrderAnswered, with what is to be started, or OrderFailed."""

        def begin() -> Any:
            from tui.terminal.attach import begin

            return begin(self._home, session_id)

        _in_thread(lambda: self._guarded("attach", begin, done, None))

    def put_entry(
        self, section: str, name: str, values: Mapping[str, Any], done: Done | None = None, failed: Failed | None = None
    ) -> None:
        """Write `[section.name]` into the configuration and let the engine take it up."""

        def write() -> Any:
            from engine.runtime.edits import put_entry

            put_entry(self._home, section, name, values)
            return self._order("reload", Nothing())

        _in_thread(lambda: self._guarded("write", write, done, failed))

    def put_entries(
        self, entries: list[tuple[str, str, Mapping[str, Any]]], done: Done | None = None, failed: Failed | None = None
    ) -> None:
        """Write several entries or none, then let the engine take them up."""

        def write() -> Any:
            from engine.runtime.edits import edit

            edit(self._home, entries)
            return self._order("reload", Nothing())

        _in_thread(lambda: self._guarded("write", write, done, failed))

    def drop_entry(self, section: str, name: str, done: Done | None = None, failed: Failed | None = None) -> None:
        """Take `[section.name]` out of the configuration and let the engine know."""

        def write() -> Any:
            from engine.runtime.edits import drop_entry

            drop_entry(self._home, section, name)
            return self._order("reload", Nothing())

        _in_thread(lambda: self._guarded("delete", write, done, failed))

    def preview(self, request: RunRequest) -> None:
        """Ask what the verdict would be. Posts VerdictCame, unless a newer question has been asked by then."""
        self._asked += 1
        number = self._asked
        _in_thread(lambda: self._preview(number, request))

    def command(self, line: str, words: list[str]) -> None:
        """Run a `qd` verb. Posts CommandAnswered."""

        def run() -> None:
            from tui.cli.dispatch import capture

            try:
                answered = CommandAnswered(line, *capture(words, self._home))
            except Exception as error:  # the worker boundary: a thread that dies answers nothing
                answered = CommandAnswered(line, 1, "", clean(f"{line} broke off: {_said(error)}"))
            self._post(answered)

        _in_thread(run)

    def _attend(self) -> None:
        """Ends when the console is left."""
        tries, died = 0, -STEADY_S
        while not self._ended:
            self._rest(pause_s(tries))
            if not self._came():
                tries += 1
                continue
            self._wait_gone()
            before, died = died, time.monotonic()
            tries = tries + 1 if died - before < STEADY_S else 0

    def _came(self) -> bool:
        """Try once to have an engine, and to be attached to it. Posts what came of it."""
        try:
            self._attach()
            if not self._ended:
                Client(self._home).ensure()
        except QuarterdeckError as error:
            self._post(EngineFailed(clean(error.line)))
        except OSError as error:
            self._post(EngineFailed(clean(f"no engine: {error}")))
        else:
            self._post(EngineCame())
            return True
        return False

    def _attach(self) -> None:
        with self._lock:
            if self._attachment is None and not self._ended:
                self._attachment = Attachment(self._home)

    def _wait_gone(self) -> None:
        """Until there is no engine any more."""
        while not self._ended:
            self._hint.wait()
            self._hint.clear()
            if not self._ended and Client(self._home).holder() is None:
                self._post(EngineGone())
                return

    def _rest(self, rest_s: float) -> None:
        """Before the next try; cut short when somebody else has started an engine."""
        until = time.monotonic() + rest_s
        while not self._ended and (left_s := until - time.monotonic()) > 0:
            self._hint.clear()
            if Client(self._home).holder() is not None:
                return
            self._hint.wait(left_s)

    def _order(self, kind: str, body: object) -> Any:
        client = Client(self._home)
        client.ensure()
        return msgspec.json.decode(client.order(kind, body))

    def _guarded(self, kind: str, act: Callable[[], Any], done: Done | None, failed: Failed | None) -> None:
        """The worker boundary of orders: what goes wrong becomes one line on the screen."""
        try:
            answer = act()
        except QuarterdeckError as error:
            self._post(OrderFailed(kind, clean(error.line), failed))
        except Exception as error:
            self._post(OrderFailed(kind, clean(f"{kind} failed: {_said(error)}"), failed))
        else:
            self._post(OrderAnswered(kind, answer, done))

    def _preview(self, number: int, request: RunRequest) -> None:
        token = f"{number}"
        deadline = time.monotonic() + PREVIEW_PATIENCE_S
        try:
            while (attachment := self._attachment) is None:
                if number != self._asked or self._ended or time.monotonic() > deadline:
                    return
                time.sleep(_STEP_S)
            attachment.ask(Preview(token=token, request=request))
            while number == self._asked and not self._ended and time.monotonic() < deadline:
                if (reply := attachment.reply(token)) is not None:
                    self._post(_verdict(request, reply))
                    return
                time.sleep(_STEP_S)
        except (OSError, msgspec.DecodeError) as error:
            self._post(VerdictCame(request, None, None, clean(f"no verdict: {error}")))
            return
        if number == self._asked:
            self._post(VerdictCame(request, None, None, "the engine does not answer; nothing can be spawned now"))


def _said(error: Exception) -> str:
    """`No space left on device`; what was not foreseen with its name."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if isinstance(error, sqlite3.Error) else f"{type(error).__name__}: {error}"


def pause_s(tries: int) -> float:
    """How long to wait before the next start, after so many that came to nothing or did not last."""
    return _PAUSES_S[min(tries, len(_PAUSES_S) - 1)]


def _verdict(request: RunRequest, reply: PreviewAnswer) -> VerdictCame:
    if reply.error:
        return VerdictCame(request, None, None, clean(reply.error))
    verdict = clean_record(msgspec.json.decode(reply.verdict, type=Verdict))
    receipt = clean_record(msgspec.json.decode(reply.receipt, type=ReceiptView)) if reply.receipt else None
    return VerdictCame(request, verdict, receipt)


def _in_thread(work: Callable[[], None]) -> None:
    """Daemons all: leaving the console never waits for an engine."""
    threading.Thread(target=work, name="link", daemon=True).start()
