"""What has come in so far? The records of all requests, changed by the threads that answer and read by the test."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tests.modelserver.record import Record, log_line


class Book:
    """Every record, by its number."""

    def __init__(self, log: Path | None) -> None:
        self._records: list[Record] = []
        self._changed = threading.Condition()
        self._log = log

    def records(self) -> tuple[Record, ...]:
        with self._changed:
            return tuple(self._records)

    def add(self, **fields: Any) -> int:
        with self._changed:
            self._records.append(Record(n=len(self._records) + 1, **fields))
            self._changed.notify_all()
            return len(self._records)

    def change(self, n: int, **fields: Any) -> Record:
        with self._changed:
            changed = self._records[n - 1] = msgspec.structs.replace(self._records[n - 1], **fields)
            self._changed.notify_all()
            return changed

    def finish(self, n: int) -> None:
        """Its record changes no more."""
        ended = self.change(n, ended=True)
        if self._log is not None:
            with self._changed, self._log.open("ab") as file:
                file.write(log_line(ended))

    def wait(self, true: Callable[[tuple[Record, ...]], bool], patience_s: float) -> tuple[Record, ...]:
        with self._changed:
            if self._changed.wait_for(lambda: true(tuple(self._records)), patience_s):
                return tuple(self._records)
            seen = [(record.path, record.outcome) for record in self._records]
        raise AssertionError(f"waited {patience_s:g} s in vain; the requests were {seen}")
