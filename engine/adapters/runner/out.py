"""How is each line put out whole, even when the program is told to end in the middle of it?"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from engine.adapters.runner.lines import Line
from engine.contract.progress import Said, Thought

ENDING = {signal.SIGTERM, signal.SIGINT}


class Stopped(BaseException):
    """It was told to end."""


def listen() -> None:
    """From now on SIGTERM and SIGINT raise Stopped, wherever the program is."""
    for number in ENDING:
        signal.signal(number, _stop)


def _stop(number: int, frame: object) -> None:
    raise Stopped


@contextmanager
def undisturbed() -> Iterator[None]:
    """Nothing raises Stopped in here: it does afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def tell(lines: Sequence[Line]) -> None:
    """Put these out; words that follow each other become one line."""
    data = b"".join(msgspec.json.encode(line) + b"\n" for line in merged(lines))
    with undisturbed():
        while data:
            data = data[os.write(1, data) :]


def merged(lines: Sequence[Line]) -> list[Line]:
    """With each run of words, and of thoughts, as one."""
    found: list[Line] = []
    run: list[str] = []
    for place, line in enumerate(lines):
        if not isinstance(line, Said | Thought):
            found.append(line)
            continue
        run.append(line.text)
        if place + 1 == len(lines) or type(lines[place + 1]) is not type(line):
            found.append(type(line)("".join(run)))
            run = []
    return found
