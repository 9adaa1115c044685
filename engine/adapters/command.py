"""How is an agent that is any command started: the prompt on its input, the answer on its output?

It is told what it may know in its environment, and may tell what it uses, while it works, in the file that
`QUARTERDECK_USAGE` names.
"""

import os
import shutil
import stat
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from engine.adapters.tape import Tape, last_line
from engine.config.params import fill, names_in
from engine.contract.adapter import Reader, Speech
from engine.contract.launch import AdapterRequest, AdapterResult, Launch, Part, Prompt, RunUsage, Wanted
from engine.contract.progress import Said
from state.errors import Refused

USAGE_FILE = "usage.jsonl"
MOST_BYTES = 64 * 1024 * 1024
"""Of a usage file: what stands after them is not read, and `unread_bytes` says how much that is."""
LONGEST_LINE = 64 * 1024
"""Bytes."""
MOST_TOLD = 10**15
"""Tokens or micro-dollars of a run: sums stay there, so that those of all runs fit into 63 bits."""
_CHUNK = 256 * 1024
_TAIL = 64
_MOST_KEPT = 256
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_Tokens = Annotated[int, Meta(ge=0, le=10**9)]
_Cost = Annotated[int, Meta(ge=0, le=10**12)]


class _Told(Struct, frozen=True):
    """One line of the usage file: what one request used, each token in one of these."""

    input_tokens: _Tokens = 0
    output_tokens: _Tokens = 0
    cache_read_tokens: _Tokens = 0
    cache_write_tokens: _Tokens = 0
    cost_microusd: _Cost | None = None


class _Reading(Struct, frozen=True):
    """How far a usage file has been read, and what it has told until there."""

    offset: int = 0
    tail: bytes = b""
    """The last bytes before the offset: other ones mean that the file was written anew."""
    within_long: bool = False
    """The offset lies within a line that is too long."""
    told: RunUsage | None = None


class CommandAdapter:
    """The operator's own command. What it used is known when it tells."""

    name = "command"
    free = False
    source: str | None = None
    provider = ""
    key_env: str | None = None
    speech: Speech | None = None

    def __init__(self) -> None:
        self._readings: dict[tuple[int, int, str], _Reading] = {}
        self._storing = threading.Lock()

    def resumes(self, argv_resume: tuple[str, ...]) -> bool:
        """When it says how."""
        return bool(argv_resume)

    def launch(self, request: AdapterRequest) -> Launch:
        """Raises Refused when no command is declared."""
        argv = request.argv_resume if request.resume and request.argv_resume else request.argv
        if not argv:
            raise Refused("the agent's adapter is `command`, but it has no command", "give it an argv")
        told = {
            "QUARTERDECK_MODEL": request.model,
            "QUARTERDECK_TOOLS": None if request.tools is None else ",".join(request.tools),
            "QUARTERDECK_SESSION": request.provider_id,
            "QUARTERDECK_RESUMES": "1" if request.resume else None,
        }
        values = argv_values(request.model, request.tools, request.provider_id, request.workspace)
        env = {name: value for name, value in told.items() if value is not None}
        return Launch(tuple(fill(word, values) for word in argv), as_text(request.prompt), env)

    def used(self, folder: Path) -> RunUsage | None:
        """What it has told so far. A line that is not whole or makes no sense does not count.

        A run may put anything there: nothing but a regular file is read, on from where it was read last.
        """
        path = folder / USAGE_FILE
        try:
            descriptor = os.open(path, _FLAGS)
        except OSError:
            return None
        try:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                return None
            key = (info.st_dev, info.st_ino, str(path))
            reading, rest = _read_on(descriptor, self._readings.get(key, _Reading()))
        except OSError:
            return None
        finally:
            os.close(descriptor)
        self._keep(key, reading)
        return _sum(reading.told, (rest,))

    def _keep(self, key: tuple[int, int, str], reading: _Reading) -> None:
        """For the next look at this file; the files that were not looked at for longest are forgotten."""
        with self._storing:
            self._readings.pop(key, None)
            self._readings[key] = reading
            if len(self._readings) > _MOST_KEPT:
                del self._readings[next(iter(self._readings))]

    def lacks(self, wanted: Wanted) -> tuple[str, str]:
        return lacks_program(wanted)

    def overhead_tokens(self, wanted: Wanted) -> int:
        """What a command sends to whom is its own business; what it is known to send is declared."""
        return 0

    def reader(self, folder: Path, start: int = 0) -> Reader:
        return CommandReader(self, folder, start)


class CommandReader:
    """Its output is its answer, and what it used is in its usage file."""

    turns = 0

    def __init__(self, adapter: CommandAdapter, folder: Path, start: int) -> None:
        self._adapter = adapter
        self._folder = folder
        self._tape = Tape(folder / "stdout.log", start)
        self.usage: RunUsage | None = None

    @property
    def offset(self) -> int:
        return self._tape.offset

    def poll(self) -> tuple[Said, ...] | None:
        self.usage = self._adapter.used(self._folder)
        chunk = self._tape.text()
        return (Said(chunk.decode(errors="replace")),) if chunk else None

    def result(self, exit_code: int | None) -> AdapterResult:
        try:
            text = (self._folder / "stdout.log").read_bytes().decode(errors="replace")
        except OSError:  # it never started, or its folder is gone
            text = ""
        why = "" if exit_code == 0 else _why(last_line(self._folder / "stderr.log"), exit_code)
        return AdapterResult(text, ok=exit_code == 0, why=why, usage=self._adapter.used(self._folder), streamed=True)


def lacks_program(wanted: Wanted) -> tuple[str, str]:
    """Why a declared command cannot be started, and what to do; empty when it can."""
    if not wanted.argv:
        return "it has no program to run", "give one after --"
    values = argv_values(wanted.model, wanted.tools, "", wanted.workspace)
    named = names_in((*wanted.argv, *wanted.argv_resume))
    lacking = [name for name in named if name in ("model", "tools") and name not in values]
    if lacking:
        why = f"its argv names {{{lacking[0]}}}, and nothing says which"
        return why, f"declare {lacking[0]} for it or its task type"
    return ("", "") if shutil.which(wanted.argv[0]) else _lacking(wanted.argv[0], wanted.workspace)


def _lacking(program: str, workspace: str) -> tuple[str, str]:
    """Of one that is not on the PATH."""
    path = Path(workspace) / program
    if path.is_dir() and "/" in program:
        return f"'{program}' cannot be run: it is a folder", "name a program"
    if not path.is_file():
        return f"there is no program '{program}' on the engine's PATH", "give its full path"
    if not os.access(path, os.X_OK):
        return f"'{program}' may not be executed", f"chmod +x {path}"
    return "", ""


def as_text(prompt: Prompt) -> str:
    """The parts in their order; files are introduced by their path."""
    return "\n".join(_piece(part) for part in prompt.sent)


def _piece(part: Part) -> str:
    text = part.text if part.text.endswith("\n") else part.text + "\n"
    return f"--- {part.source} ---\n{text}" if part.kind == "file" else text


def argv_values(
    model: str | None, tools: tuple[str, ...] | None, session: str | None, workspace: str
) -> dict[str, str]:
    """What is replaced in an argv. What has no value is not here: an argv that names it cannot be started."""
    told = {"model": model, "tools": None if tools is None else ",".join(tools), "session": session}
    return {name: value for name, value in told.items() if value is not None} | {"workspace": workspace}


def unread_bytes(folder: Path) -> int | None:
    """How much of the usage file in this folder is never read; None when that cannot be known (any more)."""
    try:
        info = (folder / USAGE_FILE).lstat()
    except OSError:
        return 0 if folder.is_dir() else None
    return max(0, info.st_size - MOST_BYTES) if stat.S_ISREG(info.st_mode) else None


def _read_on(descriptor: int, before: _Reading) -> tuple[_Reading, bytes]:
    """What was added since, and the last line where it is not ended yet."""
    same = os.pread(descriptor, len(before.tail), before.offset - len(before.tail)) == before.tail
    reading, rest = before if same else _Reading(), b""
    while chunk := _chunk(descriptor, reading.offset + len(rest)):
        reading, rest = _taken(reading, rest + chunk)
    return reading, rest


def _chunk(descriptor: int, at: int) -> bytes:
    return os.pread(descriptor, min(_CHUNK, MOST_BYTES - at), at)


def _taken(reading: _Reading, held: bytes) -> tuple[_Reading, bytes]:
    """With the whole lines of what is held behind its offset, and what is left of that."""
    whole, newline, rest = held.rpartition(b"\n")
    lines = whole.split(b"\n") if newline else []
    within_long = len(rest) > LONGEST_LINE or (reading.within_long and not newline)
    if within_long:
        rest = b""
    taken = held[: len(held) - len(rest)]
    after = _Reading(
        offset=reading.offset + len(taken),
        tail=(reading.tail + taken[-_TAIL:])[-_TAIL:],
        within_long=within_long,
        told=_sum(reading.told, lines[1:] if reading.within_long else lines),
    )
    return after, rest


def _sum(before: RunUsage | None, lines: Iterable[bytes]) -> RunUsage | None:
    """With what these lines tell; None when nothing has been told at all."""
    told = [line for line in map(_decoded, lines) if line is not None]
    if not told:
        return before
    so_far = before or RunUsage(0, 0, cost_microusd=0)
    costs = [so_far.cost_microusd, *(line.cost_microusd for line in told)]
    return RunUsage(
        input_tokens=min(MOST_TOLD, so_far.input_tokens + sum(line.input_tokens for line in told)),
        output_tokens=min(MOST_TOLD, so_far.output_tokens + sum(line.output_tokens for line in told)),
        cache_read_tokens=min(MOST_TOLD, so_far.cache_read_tokens + sum(line.cache_read_tokens for line in told)),
        cache_write_tokens=min(MOST_TOLD, so_far.cache_write_tokens + sum(line.cache_write_tokens for line in told)),
        cost_microusd=None if None in costs else min(MOST_TOLD, sum(cost or 0 for cost in costs)),
    )


_decoder = msgspec.json.Decoder(_Told)


def _decoded(line: bytes) -> _Told | None:
    if len(line) > LONGEST_LINE:
        return None
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _why(last: str, exit_code: int | None) -> str:
    how = "ended by a signal" if exit_code is None else f"exited with code {exit_code}"
    return f"{how}: {last}" if last else how
