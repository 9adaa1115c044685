"""What have all requests used together? What a server does not tell is estimated, and marked: it is not nothing."""

from collections.abc import Callable

from engine.adapters.runner.lines import Used
from engine.adapters.runner.talk import BYTES_PER_TOKEN, NOTHING, Answer, Told
from engine.contract.launch import RunUsage

MOST_RAW = 64
"""Requests whose usage is put out one by one: the last ones."""


class Bill:
    """The requests of one turn, each opened and then closed."""

    def __init__(self, tell: Callable[[Used], None]) -> None:
        self._tell = tell
        self._closed = Used(NOTHING, rounds=0, told=0, untold=0, partial=False, raw=())
        self._asked_bytes: int | None = None

    def open(self, asked_bytes: int) -> None:
        """A request of this size goes out."""
        self._asked_bytes = asked_bytes

    def show(self, answer: Answer) -> None:
        """What it amounts to while the answer still comes."""
        if self._asked_bytes is not None:
            self._tell(added(self._closed, answer, self._asked_bytes))

    def close(self, answer: Answer, *, asked: bool = True) -> None:
        """The request is over, with this much of an answer; `asked`: it is one of the turn's rounds, not a try that is
        repeated."""
        if self._asked_bytes is None:
            return
        self._closed = added(self._closed, answer, self._asked_bytes, rounds=int(asked))
        self._asked_bytes = None
        self._tell(self._closed)

    def close_free(self) -> None:
        """The request is over, and the server did nothing for it."""
        self._asked_bytes = None
        self._tell(self._closed)


def added(before: Used, answer: Answer, asked_bytes: int, rounds: int = 1) -> Used:
    """With one more request."""
    usage, estimated = used(answer, asked_bytes)
    told = answer.told != Told()
    return Used(
        usage=total(before.usage, usage),
        rounds=before.rounds + rounds,
        told=before.told + told,
        untold=before.untold + estimated,
        partial=before.partial or answer.stop == "cut",
        raw=(*before.raw, answer.reported)[-MOST_RAW:],
    )


def used(answer: Answer, asked_bytes: int) -> tuple[RunUsage, bool]:
    """The usage of one request, and whether any of it had to be estimated."""
    told, estimated = answer.told, answer.received_bytes // BYTES_PER_TOKEN
    given, got = told.input_tokens, told.output_tokens
    if answer.stop == "cut":  # what it told until then is of its start
        got = max(got or 0, estimated)
    usage = RunUsage(
        input_tokens=asked_bytes // BYTES_PER_TOKEN if given is None else given,
        output_tokens=estimated if got is None else got,
        cache_read_tokens=told.cache_read_tokens or 0,
        cache_write_tokens=told.cache_write_tokens or 0,
    )
    return usage, given is None or told.output_tokens is None or got != told.output_tokens


def total(one: RunUsage, other: RunUsage) -> RunUsage:
    return RunUsage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cache_read_tokens + other.cache_read_tokens,
        one.cache_write_tokens + other.cache_write_tokens,
    )
