"""How do the books follow the logs that agent CLIs leave? A reader process parses, niced; this side writes."""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping

import msgspec

from engine.contract.clock import Clock
from engine.contract.usage import CatchUp, CaughtUp, Cursor, ReaderMessage, ReaderSetup
from engine.runtime.imports import with_import_path
from engine.runtime.log_book import LogBook
from engine.runtime.pricing import PriceBook
from engine.runtime.repricing import reprice, unpriced_models
from engine.telemetry.catalog import all_read
from engine.telemetry.roots import log_roots
from state.database import Database
from state.errors import EngineUnavailable

CHUNK_BYTES = 256 * 1024
RESTART_S = 5.0

_decode = msgspec.json.Decoder(ReaderMessage).decode


class LogFollower:
    """Keeps a reader process running for as long as the engine does."""

    def __init__(self, database: Database, clock: Clock, environ: Mapping[str, str], prices: PriceBook) -> None:
        self._database = database
        self._book = LogBook(database, clock, prices)
        self._prices = prices
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
        await self.reprice()

    async def reprice(self) -> None:
        """Price what was booked without a price, where there is one now."""
        await self._prices.learn(unpriced_models(self._database))
        for _ in reprice(self._database, self._prices):
            await asyncio.sleep(0)

    async def _once(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *_READER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=CHUNK_BYTES,
            env=with_import_path(self._environ),
        )
        assert self._process.stdin is not None, "it was asked for a pipe"
        assert self._process.stdout is not None, "it was asked for a pipe"
        self._process.stdin.write(_setup(self._environ, self._book.cursors(), follow=True))
        lines = Lines()
        while chunk := await self._process.stdout.read(CHUNK_BYTES):
            await self._take([_decode(line) for line in lines.of(chunk)])

    async def _take(self, messages: list[ReaderMessage]) -> None:
        """What has come, in as few transactions as are short; others on the loop have their turn in between."""
        await self._prices.learn(self._book.models(messages))
        for _ in self._book.write(messages):
            await asyncio.sleep(0)
        for message in messages:
            if isinstance(message, CaughtUp) and (done := self._waiting.pop(message.token, None)):
                done.set_result(None)

    async def _end(self) -> None:
        for done in self._waiting.values():
            done.cancel()
        self._waiting.clear()
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class Lines:
    """Cuts a stream into lines."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def of(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that this chunk completes."""
        head, separator, tail = chunk.rpartition(b"\n")
        if separator:
            yield from b"".join([*self._rest, head]).split(b"\n")
            self._rest.clear()
        if tail:
            self._rest.append(tail)


def ingest_once(database: Database, clock: Clock, environ: Mapping[str, str], prices: PriceBook) -> None:
    """Read everything that is on disk now, without an engine. The caller holds the lease."""
    book = LogBook(database, clock, prices)
    cursors = book.cursors()
    if not all_read(log_roots(environ), cursors):
        _read_now(book, cursors, environ, prices)
    prices.learn_now(unpriced_models(database))
    for _ in reprice(database, prices):
        pass


def _read_now(book: LogBook, cursors: tuple[Cursor, ...], environ: Mapping[str, str], prices: PriceBook) -> None:
    with subprocess.Popen(
        _READER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=with_import_path(environ)
    ) as reader:
        assert reader.stdin is not None, "it was asked for a pipe"
        assert reader.stdout is not None, "it was asked for a pipe"
        reader.stdin.write(_setup(environ, cursors, follow=False))
        reader.stdin.close()
        lines = Lines()
        while chunk := os.read(reader.stdout.fileno(), CHUNK_BYTES):
            messages = [_decode(line) for line in lines.of(chunk)]
            prices.learn_now(book.models(messages))
            for _ in book.write(messages):
                pass


_READER = (sys.executable, "-m", "engine.telemetry.reader")


def _setup(environ: Mapping[str, str], cursors: tuple[Cursor, ...], *, follow: bool) -> bytes:
    """The reader's first line: where to look, and how far each log has been read."""
    return msgspec.json.encode(ReaderSetup(log_roots(environ), cursors, follow)) + b"\n"
