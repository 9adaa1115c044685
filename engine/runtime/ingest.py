"""How are the books brought up to date once, without an engine? And what passes between a reader and whoever books."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import msgspec

from engine.contract.clock import Clock
from engine.contract.usage import Cursor, LogRoot, ReaderMessage, ReaderSetup
from engine.runtime.imports import with_import_path
from engine.runtime.log_book import LogBook
from engine.runtime.pricing import PriceBook
from engine.runtime.repricing import reprice, unpriced_models
from engine.telemetry.catalog import all_read
from engine.telemetry.collector import let_rows_pass
from engine.telemetry.roots import Homes, log_roots
from state.database import Database
from state.errors import StateError

CHUNK_BYTES = 256 * 1024
READER = (sys.executable, "-m", "engine.telemetry.reader")

decode = msgspec.json.Decoder(ReaderMessage).decode


def setup_line(roots: tuple[LogRoot, ...], cursors: tuple[Cursor, ...], *, follow: bool) -> bytes:
    """The reader's first line: where to look, and how far each log has been read."""
    return msgspec.json.encode(ReaderSetup(roots, cursors, follow)) + b"\n"


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


def ingest_once(
    database: Database, clock: Clock, environ: Mapping[str, str], prices: PriceBook, homes: Homes = ()
) -> None:
    """Read everything that is on disk now, without an engine. The caller holds the lease."""
    let_rows_pass()
    book = LogBook(database, clock, prices)
    cursors = book.cursors()
    roots = log_roots(environ, homes)
    if book.has_problems or not all_read(roots, cursors):
        _read_now(book, cursors, roots, environ, prices)
    prices.learn_now(unpriced_models(database))
    for _ in reprice(database, prices):
        pass


def _read_now(
    book: LogBook,
    cursors: tuple[Cursor, ...],
    roots: tuple[LogRoot, ...],
    environ: Mapping[str, str],
    prices: PriceBook,
) -> None:
    with subprocess.Popen(
        READER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=with_import_path(environ)
    ) as reader:
        assert reader.stdin is not None, "it was asked for a pipe"
        assert reader.stdout is not None, "it was asked for a pipe"
        reader.stdin.write(setup_line(roots, cursors, follow=False))
        reader.stdin.close()
        lines = Lines()
        while chunk := os.read(reader.stdout.fileno(), CHUNK_BYTES):
            messages = [decode(line) for line in lines.of(chunk)]
            prices.learn_now(book.models(messages))
            for _ in book.write(messages):
                pass
    if reader.returncode:
        raise StateError(f"the log reader ended with code {reader.returncode}", "try again; what it read is kept")
