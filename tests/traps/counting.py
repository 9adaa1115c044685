"""What do our readers and our books make of a home full of logs?"""

from engine.contract.clock import SystemClock
from engine.contract.usage import LogBatch
from engine.runtime.logs import LogBook
from engine.telemetry.catalog import SOURCES, survey
from engine.telemetry.roots import log_roots
from state.database import open_writer
from state.home import Home


def read_all(home, reverse=False):
    """Every batch of every log below a HOME; the oldest file first when `reverse`."""
    found = survey(log_roots({"HOME": str(home)}))
    for file in sorted(found.files, key=lambda file: file.mtime_ns, reverse=not reverse):
        yield from SOURCES[file.root.source].read(file, None, found)


def book_all(home, state: Home, reverse=False):
    """The write connection of a new state folder in which all of it is booked."""
    database = open_writer(state)
    book = LogBook(database, SystemClock())
    for batch in read_all(home, reverse):
        assert isinstance(batch, LogBatch)
        book.write(batch)
    return database
