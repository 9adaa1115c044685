"""How does the model server start, and how does it end so that nothing is left? What it says: the exchange."""

import contextlib
import select
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, Self

from tests.modelserver.asked import Asked, Usage
from tests.modelserver.book import Book
from tests.modelserver.cache import PromptCache
from tests.modelserver.exchange import Exchange
from tests.modelserver.marks import Mark, find, reply
from tests.modelserver.record import Record
from tests.modelserver.reply import Reply, Script

MODELS = ("claude-sonnet-5-5", "claude-haiku-5-5", "gpt-6.1-sol", "gpt-5.5", "llama3.2:latest")
POLL_S = 0.02
PATIENCE_S = 40.0


class Listener(ThreadingHTTPServer):
    """The socket and its threads; each connection is shut when the server closes, so that every thread ends."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, owner: "ModelServer", port: int) -> None:
        self.owner = owner
        self.closing = threading.Event()
        self.failures: list[BaseException] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed, self._close = socket.socketpair()
        super().__init__(("127.0.0.1", port), Exchange)

    def server_bind(self) -> None:
        """Without the base class's look-up of the host's name."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)
            if self.closing.is_set():
                _shut(connection)

    def over(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)

    def pause(self, connection: socket.socket, milliseconds: int | None) -> Literal["time", "closing", "gone"]:
        """Wait, for ever with `None`, and say what ended it."""
        poll = select.poll()
        poll.register(connection, select.POLLRDHUP)
        poll.register(self._closed, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(milliseconds)}
        if self._closed.fileno() in ready:
            return "closing"
        return "gone" if ready else "time"

    def handle_error(self, request: Any, client_address: Any) -> None:
        failure = sys.exception()
        if failure is not None:
            self.failures.append(failure)

    def server_close(self) -> None:
        with self._lock:
            self.closing.set()
            self._close.close()
            for connection in self._connections:
                _shut(connection)
        super().server_close()
        self._closed.close()


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class ModelServer:
    """A model behind every API that our clients speak, on a loopback port, from `with` on until its end."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        port: int = 0,
        log: Path | None = None,
        models: tuple[str, ...] = MODELS,
    ) -> None:
        self.script = script or Script()
        self.models = models
        self.book = Book(log)
        self._cache = PromptCache()
        self._seen = Counter[tuple[str | None, str]]()
        self._lock = threading.Lock()
        self._listener = Listener(self, port)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(POLL_S,), name="model server")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every request, also the hung ones, and every thread; raise what went wrong in one of them."""
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()
        if self._listener.failures:
            raise self._listener.failures[0]

    @property
    def port(self) -> int:
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """Without `/v1`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> tuple[Record, ...]:
        """Every request so far, in order of arrival."""
        return self.book.records()

    @property
    def calls(self) -> tuple[Record, ...]:
        """Those that ask a model for an answer."""
        return tuple(record for record in self.requests if record.kind == "model")

    def billed(self, *, session: str | None = None, model: str | None = None) -> Usage:
        """What all calls cost, or those of a session or a model."""
        wanted = [
            record.billed
            for record in self.calls
            if session in (None, record.session) and model in (None, record.model)
        ]
        return sum(wanted, Usage())

    def wait(self, true: Callable[[tuple[Record, ...]], bool], patience_s: float = PATIENCE_S) -> tuple[Record, ...]:
        """Until it is true of the requests, such as one being `hung mid`; the requests then."""
        return self.book.wait(true, patience_s)

    def charge(self, asked: Asked) -> Usage:
        """The input side of a call's usage."""
        with self._lock:
            return self._cache.charge(asked)

    def decide(self, asked: Asked, session: str | None) -> tuple[Reply, tuple[Mark, ...]]:
        """The reply to a call, and the marks in its prompt."""
        with self._lock:
            scripted = self.script.next(asked)
            marks = () if scripted else find(asked.prompt)
            seen = self._seen[session, asked.prompt]
            self._seen[session, asked.prompt] += 1
        return scripted or reply(asked, marks, seen), marks
