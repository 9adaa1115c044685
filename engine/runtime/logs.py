"""How does what agent CLIs log get into our books? A reader process parses; this side writes, in small transactions."""

import asyncio
import contextlib
import secrets
import subprocess
import sys
from collections.abc import Mapping

import msgspec

from engine.contract.clock import Clock
from engine.contract.usage import (
    CatchUp,
    CaughtUp,
    Cursor,
    Discovered,
    LogBatch,
    Progress,
    ReaderMessage,
    ReaderSetup,
    SessionPart,
    Unreadable,
)
from engine.runtime.imports import with_import_path
from engine.telemetry.roots import log_roots
from state import events, sessions, usage
from state.database import Connection, Database
from state.errors import EngineUnavailable

LINE_LIMIT_BYTES = 64 * 1024 * 1024
RESTART_S = 5.0
SCAN_NOTICE = "scan"
_DISCOVERED_AT_ONCE = 500

_decode = msgspec.json.Decoder(ReaderMessage).decode


class LogBook:
    """Writes what the reader sends."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._scanning = True  # an engine that died in mid scan has left its notice: the first end takes it away

    def setup(self, environ: Mapping[str, str], *, follow: bool) -> bytes:
        """The reader's first line: where to look, and how far each log has been read."""
        cursors = tuple(
            Cursor(log.path, log.device, log.inode, log.size, 0, log.offset, log.head_hash, log.carry)
            for log in usage.log_files(self._database.connection)
        )
        return msgspec.json.encode(ReaderSetup(log_roots(environ), cursors, follow)) + b"\n"

    def write(self, message: ReaderMessage) -> None:
        """Take one message into the books."""
        if isinstance(message, LogBatch):
            self._book(message)
        elif isinstance(message, Discovered):
            self._discover(message)
        elif isinstance(message, Progress):
            self._show(message)
        elif isinstance(message, Unreadable):
            self._complain(message)

    def _book(self, batch: LogBatch) -> None:
        with self._database.transaction() as tx:
            log_id = usage.advance(tx, _log_file(batch, self._clock.now_ms()), batch.refused, batch.restarted)
            for part in batch.parts:
                self._book_part(tx, batch.source, log_id, part)

    def _book_part(self, tx: Connection, source: str, log_id: int, part: SessionPart) -> None:
        seen = msgspec.structs.asdict(part.session)
        for later in ("forked_from", "context_tokens", "context_window"):
            del seen[later]
        generation_id = sessions.observe(tx, **seen)
        for response in part.responses:
            fields = msgspec.structs.asdict(response)
            for later in ("provider", "factors", "raw"):
                del fields[later]
            usage.book(
                tx,
                usage.UsageRow(source=source, generation_id=generation_id, run_id=None, log_id=log_id, **fields),
            )

    def _discover(self, found: Discovered) -> None:
        for start in range(0, len(found.sessions), _DISCOVERED_AT_ONCE):
            with self._database.transaction() as tx:
                for session in found.sessions[start : start + _DISCOVERED_AT_ONCE]:
                    sessions.observe(
                        tx,
                        by_name=True,
                        source=session.source,
                        provider_home=session.provider_home,
                        provider_id=session.provider_id,
                        last_active_ms=session.last_active_ms,
                        started_ms=None,
                        workspace=None,
                        title=None,
                        model=None,
                    )

    def _show(self, progress: Progress) -> None:
        if not progress.scanning and not self._scanning:
            return
        with self._database.transaction() as tx:
            if progress.scanning:
                text = (
                    f"reading logs: {progress.files_done:,} of {progress.files_total:,} files,"
                    f" {progress.bytes_done / 1e6:,.0f} of {progress.bytes_total / 1e6:,.0f} MB"
                )
                events.raise_notice(tx, events.Notice(SCAN_NOTICE, "info", text, self._clock.now_ms()))
            else:
                events.drop_notice(tx, SCAN_NOTICE)
        self._scanning = progress.scanning

    def _complain(self, problem: Unreadable) -> None:
        with self._database.transaction() as tx:
            usage.note_problem(tx, problem.path, problem.why, self._clock.now_ms())
            events.add(tx, self._clock.now_ms(), "unreadable", f"{problem.path}: {problem.why}")


class LogFollower:
    """Keeps a reader process running for as long as the engine does."""

    def __init__(self, book: LogBook, environ: Mapping[str, str]) -> None:
        self._book = book
        self._environ = environ
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def run(self) -> None:
        """Until cancelled; a reader that dies is started again from its cursors."""
        while True:
            try:
                await self._once()
            finally:
                await self._end()
            await asyncio.sleep(RESTART_S)

    async def catch_up(self) -> None:
        """Return when everything that is on disk now is booked."""
        if self._process is None or self._process.stdin is None:
            raise EngineUnavailable("the log reader is not running", "try again in a few seconds")
        token = secrets.token_hex(4)
        done = self._waiting.setdefault(token, asyncio.get_running_loop().create_future())
        self._process.stdin.write(msgspec.json.encode(CatchUp(token)) + b"\n")
        await done

    async def _once(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *_READER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT_BYTES,
            env=with_import_path(self._environ),
        )
        assert self._process.stdin is not None, "it was asked for a pipe"
        assert self._process.stdout is not None, "it was asked for a pipe"
        self._process.stdin.write(self._book.setup(self._environ, follow=True))
        async for line in self._process.stdout:
            message = _decode(line)
            self._book.write(message)
            if isinstance(message, CaughtUp) and (done := self._waiting.pop(message.token, None)):
                done.set_result(None)
            await asyncio.sleep(0)  # lines that are here already must not keep the loop from its other work

    async def _end(self) -> None:
        for done in self._waiting.values():
            done.cancel()
        self._waiting.clear()
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def ingest_once(database: Database, clock: Clock, environ: Mapping[str, str]) -> None:
    """Read everything that is on disk now, without an engine. The caller holds the lease."""
    book = LogBook(database, clock)
    with subprocess.Popen(
        _READER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=with_import_path(environ)
    ) as reader:
        assert reader.stdin is not None, "it was asked for a pipe"
        assert reader.stdout is not None, "it was asked for a pipe"
        reader.stdin.write(book.setup(environ, follow=False))
        reader.stdin.close()
        for line in reader.stdout:
            book.write(_decode(line))


_READER = (sys.executable, "-m", "engine.telemetry.reader")


def _log_file(batch: LogBatch, now_ms: int) -> usage.LogFile:
    cursor = batch.cursor
    return usage.LogFile(
        id=0,
        source=batch.source,
        path=cursor.path,
        device=cursor.device,
        inode=cursor.inode,
        size=cursor.size,
        offset=cursor.offset,
        head_hash=cursor.head_hash,
        carry=cursor.carry,
        lines=batch.lines,
        refused="{}",
        read_ms=now_ms,
    )
