"""How does one request go: read, recorded, decided, answered, with what is to go wrong on its way?

A record is changed before the bytes that tell the client so, so that whoever has an answer finds its record complete.
"""

import contextlib
import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.modelserver import about
from tests.modelserver.asked import Asked, Usage, compact, tokens
from tests.modelserver.marks import BadMark
from tests.modelserver.reply import Reply
from tests.modelserver.sending import cut, output_sent
from tests.modelserver.wire import Answer, Wire, identifier, output_tokens, reasoning_tokens

if TYPE_CHECKING:
    from tests.modelserver.server import Listener

TELLING = (
    "user-agent",
    "originator",
    "session-id",
    "session_id",
    "thread-id",
    "conversation_id",
    "x-claude-code-session-id",
    "x-stainless-retry-count",
    "x-app",
)
NO_JSON = b"{no json"
SESSIONS = ("x-claude-code-session-id", "session-id", "session_id", "thread-id", "conversation_id")


class GoneError(Exception):
    """Nobody waits for the rest: its text is the outcome."""


class Exchange(BaseHTTPRequestHandler):
    """One connection and the requests on it."""

    server: "Listener"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.over(self.connection)
        super().finish()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """The book has it all."""

    def do_HEAD(self) -> None:
        self._serve({})

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            self._serve(json.loads(raw or b"{}"))
        except ValueError as error:
            self._serve({}, f"the body is no JSON: {error}")

    def _serve(self, body: Any, trouble: str = "") -> None:
        self.path_only = self.path.partition("?")[0]
        wire = about.WIRES.get((self.command, self.path_only))
        self.n = self.server.owner.book.add(method=self.command, path=self.path_only, body=body, **self._told())
        try:
            if wire is None:
                self._say(*about.answer(self.command, self.path_only, body, self.server.owner.models))
            elif trouble:
                self._refuse(wire, 400, trouble)
            else:
                self._ask(wire, body)
        finally:
            self.server.owner.book.finish(self.n)

    def _told(self) -> dict[str, Any]:
        """What the headers tell."""
        headers = {name: self.headers[name] for name in TELLING if name in self.headers}
        key, bearer = self.headers.get("x-api-key"), self.headers.get("authorization")
        return {
            "kind": about.kind(self.command, self.path_only),
            "headers": headers,
            "session": next((headers[name] for name in SESSIONS if name in headers), None),
            "auth_kind": "x-api-key" if key else "bearer" if bearer else None,
            "auth_value": key or (bearer.removeprefix("Bearer ") if bearer else None),
        }

    def _change(self, **fields: Any) -> None:
        self.server.owner.book.change(self.n, **fields)

    def _ask(self, wire: Wire, body: Any) -> None:
        try:
            asked = wire.read(body)
        except (KeyError, TypeError, AttributeError) as error:
            self._refuse(wire, 400, f"{type(error).__name__}: {error}")
            return
        self._change(
            model=asked.model,
            stream=asked.stream,
            system_chars=asked.chars("system"),
            tools_chars=asked.chars("tools"),
            messages_chars=asked.chars("messages"),
            tool_names=tuple(tool.name for tool in asked.tools),
            prompt=asked.prompt,
            answered_calls=asked.answered_calls,
        )
        if self.path_only in about.COUNTS:
            self._say(200, about.COUNTS[self.path_only](asked.tokens))
        else:
            self._decide(wire, asked)

    def _decide(self, wire: Wire, asked: Asked) -> None:
        owner = self.server.owner
        try:
            reply, marks = owner.decide(asked, owner.requests[self.n - 1].session)
        except BadMark as error:
            self._refuse(wire, 400, str(error))
            return
        self._change(marks=tuple(mark.source for mark in marks))
        try:
            self._go(wire, asked, reply)
        except GoneError as gone:
            self.close_connection = True
            self._change(outcome=str(gone))
        except ConnectionError:
            self.close_connection = True
            self._change(outcome="client gone")

    def _go(self, wire: Wire, asked: Asked, reply: Reply) -> None:
        self._pause(reply.delay_ms)
        if reply.error_status is not None:
            self._refuse(wire, reply.error_status, "asked for by a mark or script", reply.retry_after_s)
            return
        if reply.stream_error is not None and not asked.stream:
            self._refuse(wire, 500, "asked for by a mark or script", kind=reply.stream_error)
            return
        usage = self._charge(asked, reply)
        if "headers" in (reply.hang, reply.drop):
            self._leave(reply)
        answer = Answer(asked=asked, reply=reply, usage=usage)
        (self._stream if asked.stream else self._plain)(wire, answer)

    def _charge(self, asked: Asked, reply: Reply) -> Usage:
        """The whole usage; so far, its input side is billed."""
        before = self.server.owner.charge(asked)
        out = Usage(output_tokens=output_tokens(reply), reasoning_tokens=reasoning_tokens(reply))
        usage = reply.usage or before + out
        self._bill(usage, 0)
        return usage

    def _bill(self, usage: Usage, output: int, **more: Any) -> None:
        self._change(billed=output_sent(usage, output), **more)

    def _pause(self, milliseconds: int) -> None:
        ended = self.server.pause(self.connection, milliseconds) if milliseconds else "time"
        if ended != "time":
            raise GoneError("client gone" if ended == "gone" else "server closed")

    def _leave(self, reply: Reply) -> None:
        """Hang until somebody ends it, or drop the connection."""
        where = "headers" if "headers" in (reply.hang, reply.drop) else "mid"
        if reply.hang:
            self._change(outcome=f"hung {where}")
            self.server.pause(self.connection, None)
            raise GoneError(f"hung {where}")
        raise GoneError(f"dropped {where}")

    def _plain(self, wire: Wire, answer: Answer) -> None:
        """It is made as a whole before any of it leaves, so that all of it is billed."""
        reply = answer.reply
        broken = bool(reply.hang or reply.drop)
        raw = NO_JSON if reply.malformed else compact(wire.plain(answer)).encode("utf-8", "surrogatepass")
        self._bill(answer.usage, answer.usage.output_tokens, reported=not (broken or reply.malformed))
        if not broken:
            self._change(outcome="malformed" if reply.malformed else "ok")
        self._head(200, "application/json", {"Content-Length": str(len(raw))})
        self.wfile.write(raw[: len(raw) // 2] if broken else raw)
        if broken:
            self._leave(reply)

    def _stream(self, wire: Wire, answer: Answer) -> None:
        frames = list(wire.frames(answer))
        sent_chars, middle = 0, cut(frames)
        self._head(200, wire.content_type, {"Transfer-Encoding": "chunked", "Cache-Control": "no-cache"})
        for at, frame in enumerate(frames):
            if at == middle:
                self._go_wrong(wire, answer.reply)
            if frame.output_chars:
                self._pause(answer.reply.delta_ms)
            sent_chars += frame.output_chars
            self._before(answer, sent_chars, frame.tells_usage, at + 1 == len(frames))
            self._chunk(wire.encode(frame.data))
        with contextlib.suppress(ConnectionError):
            self._chunk(wire.end)
            self.wfile.write(b"0\r\n\r\n")

    def _before(self, answer: Answer, sent_chars: int, tells_usage: bool, last: bool) -> None:
        """What the record says once the next frame is out."""
        whole = answer.usage.output_tokens
        self._bill(answer.usage, whole if tells_usage or last else min(tokens(sent_chars), whole))
        if tells_usage:
            self._change(reported=True)
        if last:
            self._change(outcome="malformed" if answer.reply.malformed else "ok")

    def _go_wrong(self, wire: Wire, reply: Reply) -> None:
        if reply.malformed:
            self._chunk(wire.broken)
        if reply.stream_error:
            self._change(outcome="stream error")
            self._chunk(wire.encode(wire.stream_error(reply.stream_error, "asked for by a mark or script")))
            self.wfile.write(b"0\r\n\r\n")
            raise GoneError("stream error")
        if reply.hang or reply.drop:
            self._leave(reply)

    def _chunk(self, raw: bytes) -> None:
        if raw:
            self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")

    def _head(self, status: int, content_type: str, more: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("request-id", identifier("req"))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(
        self, wire: Wire, status: int, why: str, retry_after_s: int | None = None, kind: str | None = None
    ) -> None:
        more = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        self._say(status, wire.error(kind or about.error_type(status), f"{status}: {why}"), more)

    def _say(self, status: int, data: Any, more: dict[str, str] | None = None) -> None:
        self._change(outcome="ok" if status < 400 else f"http {status}")
        raw = b"" if self.command == "HEAD" else compact(data).encode("utf-8", "surrogatepass")
        with contextlib.suppress(ConnectionError):
            self._head(status, "application/json", {"Content-Length": str(len(raw)), **(more or {})})
            self.wfile.write(raw)
