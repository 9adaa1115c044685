"""How does an engine follow the logs that agent CLIs leave? A reader process parses, niced; this side writes."""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping

import msgspec

from engine.contract.clock import Clock
from engine.contract.usage import CatchUp, CaughtUp, Progress, ReaderMessage
from engine.runtime.imports import with_import_path
from engine.runtime.ingest import CHUNK_BYTES, READER, Lines, decode, setup_line
from engine.runtime.log_book import LogBook
from engine.runtime.pricing import PriceBook
from engine.runtime.reaping import reaped
from engine.runtime.repricing import reprice, unpriced_models
from engine.telemetry.roots import Homes, log_roots
from state.database import Database
from state.errors import EngineUnavailable

RESTART_S = 5.0


class LogFollower:
    """Keeps a reader process running for as long as the engine does."""

    def __init__(self, database: Database, clock: Clock, environ: Mapping[str, str], prices: PriceBook) -> None:
        self._database = database
        self._book = LogBook(database, clock, prices)
        self._prices = prices
        self._environ = environ
        self._homes: Homes = ()
        self._anew = self._read_all = False
        self._process: asyncio.subprocess.Process | None = None
        self._running = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[None]] = {}

    @property
    def scanning(self) -> bool:
        """Whether a reader is on its first way through the logs: it should not be cut off."""
        return self._process is not None and not self._read_all

    def look_in(self, homes: Homes) -> None:
        """More homes of clients, as declared now: a reader that looks elsewhere is started anew."""
        if homes == self._homes:
            return
        self._homes = homes
        if self._process is not None:
            self._anew = True
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def run(self) -> None:
        """Until cancelled; a reader that dies is started again from its cursors."""
        while True:
            why, self._anew = "", False
            try:
                why = await self._once()
            except OSError as error:
                why = f"cannot be started: {error.strerror or error}"
            finally:
                await self._end()
            if self._anew:
                continue
            if why:
                self._book.reader_failed(why)
            await asyncio.sleep(RESTART_S)

    async def catch_up(self) -> None:
        """Return when everything that is on disk now is booked."""
        try:
            async with asyncio.timeout(2 * RESTART_S):  # an engine that has just started has its reader in a moment
                await self._running.wait()
        except TimeoutError:
            raise EngineUnavailable("the log reader does not start", "see: qd doctor") from None
        assert self._process is not None, "it is running"
        assert self._process.stdin is not None, "it was asked for a pipe"
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

    async def _once(self) -> str:
        """Until the reader ends; returns why, when it should not have."""
        roots, self._read_all = log_roots(self._environ, self._homes), False
        self._process = await asyncio.create_subprocess_exec(
            *READER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=CHUNK_BYTES,
            env=with_import_path(self._environ),
        )
        assert self._process.stdin is not None, "it was asked for a pipe"
        assert self._process.stdout is not None, "it was asked for a pipe"
        self._process.stdin.write(setup_line(roots, self._book.cursors(), follow=True))
        self._running.set()
        lines = Lines()
        while chunk := await self._process.stdout.read(CHUNK_BYTES):
            await self._take([decode(line) for line in lines.of(chunk)])
        code = await self._process.wait()
        return f"ended with code {code}" if code else ""

    async def _take(self, messages: list[ReaderMessage]) -> None:
        """What has come, in as few transactions as are short; others on the loop have their turn in between."""
        await self._prices.learn(self._book.models(messages))
        for _ in self._book.write(messages):
            await asyncio.sleep(0)
        for message in messages:
            if isinstance(message, Progress) and not message.scanning:
                self._read_all = True
            if isinstance(message, CaughtUp) and (done := self._waiting.pop(message.token, None)):
                done.set_result(None)

    async def _end(self) -> None:
        self._running.clear()
        for done in self._waiting.values():
            if not done.done():
                done.set_exception(EngineUnavailable("the log reader ended", "try again in a few seconds"))
        self._waiting.clear()
        process, self._process = self._process, None
        if process is not None:
            await reaped(process)
