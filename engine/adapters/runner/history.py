"""What was said before, and how is it kept? One file a conversation, one line a turn, added when the turn is over.

A line that was never ended, as after a crash, is none: the conversation is as it was before that turn.
"""

import contextlib
import fcntl
import os
import re
import stat
import tempfile
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.adapters.runner.faults import Fault, NoConversation
from engine.adapters.runner.job import Job
from engine.adapters.runner.talk import Message

MOST_BYTES = 64 * 1024 * 1024
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Turn(Struct, frozen=True):
    """One line of the file."""

    at_ms: int
    model: str
    whole: bool
    """False: it was interrupted, and this is as far as it came."""
    messages: tuple[Message, ...]


class History:
    """The conversation that a turn takes place in."""

    def __init__(self, job: Job) -> None:
        """Raises NoConversation when one is to go on, or to be copied, that is not there."""
        self._folder = Path(job.folder)
        self._model = job.model
        self._id = job.conversation
        if self._id is not None and not _ID.fullmatch(self._id):
            raise (NoConversation if job.resume else Fault)(f"not a conversation's id: {self._id!r}")
        self._goes_on = job.resume and job.fork_of is None
        source = job.fork_of if job.fork_of is not None else self._id if job.resume else None
        if source is None and job.resume:
            raise NoConversation("no conversation is named that could go on")
        self._before = b"" if source is None else _read(self._folder, source)
        turns = [_turn(line, source) for line in self._before.splitlines()]
        self.messages = tuple(message for turn in turns for message in turn.messages)

    def add(self, messages: tuple[Message, ...], *, whole: bool) -> None:
        """Keep what was said in this turn. Raises Fault when that cannot be written."""
        if self._id is None:
            return
        turn = Turn(time.time_ns() // 1_000_000, self._model, whole, messages)
        line = msgspec.json.encode(turn) + b"\n"
        path = self._folder / f"{self._id}.jsonl"
        try:
            _append(path, line) if self._goes_on else _replace(path, self._before + line)
        except OSError as error:
            raise Fault(f"the conversation cannot be kept: {error.strerror}") from error


def _read(folder: Path, conversation: str) -> bytes:
    """Its whole lines."""
    unknown = NoConversation(f"no conversation found with id {conversation}")
    if not _ID.fullmatch(conversation):
        raise unknown
    try:
        descriptor = os.open(folder / f"{conversation}.jsonl", os.O_RDONLY | _FLAGS)
    except OSError:
        raise unknown from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise unknown
    with os.fdopen(descriptor, "rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise Fault(f"the conversation has more than {MOST_BYTES:,} bytes: start another one")
    whole, newline, _ = text.rpartition(b"\n")
    return whole + newline


def _turn(line: bytes, conversation: str | None) -> Turn:
    try:
        return msgspec.json.decode(line, type=Turn)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NoConversation(f"the conversation {conversation} cannot be read: {error}") from None


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_RDWR | _FLAGS)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = _end_of_lines(descriptor)
        os.ftruncate(descriptor, end)
        try:
            _write(descriptor, line, end)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
    finally:
        os.close(descriptor)


def _end_of_lines(descriptor: int) -> int:
    """Behind the last line that was ended."""
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - 64 * 1024)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _replace(path: Path, text: bytes) -> None:
    """Aside, then by rename: it is there as a whole, or not at all."""
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        try:
            _write(descriptor, text, 0)
        finally:
            os.close(descriptor)
        Path(aside).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(aside).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(descriptor: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, at)
        data, at = data[written:], at + written
    os.fsync(descriptor)
