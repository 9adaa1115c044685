"""What do our readers and our books make of a home full of logs?"""

import os

from engine.config.model import ModelPrice
from engine.contract.clock import SystemClock
from engine.runtime.log_book import LogBook
from engine.runtime.pricing import PriceBook
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
    """The write connection of a new state folder in which all of it is booked, every model at a declared price."""
    batches = list(read_all(home, reverse))
    named = {response.model for batch in batches for part in batch.parts for response in part.responses}
    declared = {name: ModelPrice(input=1.0, output=2.0) for name in named if name}
    database = open_writer(state)
    prices = PriceBook(database, SystemClock(), declared, os.environ)
    book = LogBook(database, SystemClock(), prices)
    prices.learn_now(book.models(batches))
    for _ in book.write(batches):
        pass
    return database
