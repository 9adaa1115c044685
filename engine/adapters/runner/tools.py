"""What do the tools do? Five small ones, within the scope of the run, each bounded in what it reads and tells."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct

from engine.adapters.runner.beneath import NotAllowed, Workspace, names_of
from engine.adapters.runner.faults import Malformed
from engine.adapters.runner.frames import decoded
from engine.adapters.runner.job import Job
from engine.adapters.runner.search import search
from engine.adapters.runner.talk import Call, Result
from engine.scopes.within import covered, starts, ways

FILE_BYTES = 4 * 1024 * 1024
RESULT_CHARS = 64 * 1024
"""Of one result."""
TOTAL_CHARS = 2 * 1024 * 1024
"""Of all results of a run."""
ENTRIES = 1000
T = TypeVar("T")


class Read(Struct, frozen=True):
    """Arguments of `read`."""

    path: str
    from_line: int = 1


class List(Struct, frozen=True):
    """Arguments of `list`."""

    path: str = "."


class Search(Struct, frozen=True):
    """Arguments of `search`."""

    text: str
    glob: str = "**"


class Write(Struct, frozen=True):
    """Arguments of `write`."""

    path: str
    text: str


class Edit(Struct, frozen=True):
    """Arguments of `edit`."""

    path: str
    old: str
    new: str


class Tools:
    """Those that a job allows."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._tree = Workspace(job.workspace)
        self._can_read = ways(job.can_read or (".",), job.workspace)
        self._can_write = ways(job.can_write, job.workspace)
        self._left = TOTAL_CHARS
        self._uses: dict[str, Callable[[bytes], str]] = {
            "read": lambda given: self._read(_given(given, Read)),
            "list": lambda given: self._list(_given(given, List)),
            "search": lambda given: self._search(_given(given, Search)),
            "write": lambda given: self._write(_given(given, Write)),
            "edit": lambda given: self._edit(_given(given, Edit)),
        }

    def use(self, call: Call) -> Result:
        """What comes of a call; what goes wrong is told to the model, which may try otherwise."""
        try:
            if call.name not in self._job.tools:
                raise NotAllowed(f"there is no tool {call.name}; there are: {', '.join(self._job.tools) or 'none'}")
            text = self._uses[call.name](call.arguments.encode("utf-8", "replace"))
            if len(text) > self._left:
                raise NotAllowed("the tools have told as much as they may in one run")
        except NotAllowed as refused:
            return Result(call.id, call.name, f"error: {refused}", ok=False)
        except OSError as error:
            return Result(call.id, call.name, f"error: {error.strerror}", ok=False)
        self._left -= len(text)
        return Result(call.id, call.name, text, ok=True)

    def readable(self, names: Sequence[str]) -> bool:
        """Whether it may be read; its folders exist."""
        return covered(self._can_read + self._can_write, names, len(names) - 1)

    def _read(self, given: Read) -> str:
        text = _text(self._bytes(self._readable(given.path)), given.path)
        lines = text.splitlines(keepends=True)
        told: list[str] = []
        size = 0
        for line in lines[max(0, given.from_line - 1) :]:
            if size + len(line) > RESULT_CHARS:
                if told:
                    return "".join(told) + f"\n(cut here: go on with from_line={given.from_line + len(told)})"
                return line[:RESULT_CHARS] + "\n(the line is longer; the rest of it is not shown)"
            told.append(line)
            size += len(line)
        return "".join(told)

    def _list(self, given: List) -> str:
        names = names_of(given.path, self._job.workspace)
        marks = self._tree.entries(names).items()
        shown = [f"{name}{mark}" for name, mark in marks if self._listable((*names, name), mark)]
        more = [f"({len(shown) - ENTRIES} more)"] if len(shown) > ENTRIES else []
        return "\n".join([*shown[:ENTRIES], *more]) or "(nothing)"

    def _listable(self, names: Sequence[str], mark: str) -> bool:
        """A folder is shown by its name alone; what may not be read is not."""
        return mark == "/" or self.readable(names)

    def _search(self, given: Search) -> str:
        if not given.text:
            raise NotAllowed("no text is given to look for")
        places = starts(self._can_read + self._can_write)
        return search(self._tree, given.text, given.glob, self.readable, places)

    def _write(self, given: Write) -> str:
        names = self._writable(given.path)
        data = given.text.encode("utf-8", "replace")
        if len(data) > FILE_BYTES:
            raise NotAllowed(f"a file may have {FILE_BYTES:,} bytes")
        new = self._tree.write(names, data)
        return f"{'made' if new else 'replaced'} {'/'.join(names)}, {len(data):,} bytes"

    def _edit(self, given: Edit) -> str:
        names = self._writable(given.path)
        text = _text(self._bytes(names), given.path)
        times = text.count(given.old) if given.old else 0
        if times != 1:
            raise NotAllowed(f"the old text occurs {times} times in {given.path}; it must occur once")
        self._tree.write(names, text.replace(given.old, given.new).encode("utf-8", "replace"))
        return f"edited {'/'.join(names)}"

    def _bytes(self, names: Sequence[str]) -> bytes:
        return self._tree.read(names, FILE_BYTES)

    def _readable(self, path: str) -> tuple[str, ...]:
        names = self._names(path)
        if not self.readable(names):
            raise NotAllowed(f"{path} lies outside of what may be read: {', '.join(self._job.can_read)}")
        return names

    def _writable(self, path: str) -> tuple[str, ...]:
        names = self._names(path)
        if not covered(self._can_write, names, self._tree.folders(names[:-1])):
            allowed = ", ".join(self._job.can_write) or "nothing"
            raise NotAllowed(f"{path} lies outside of what may be written: {allowed}")
        return names

    def _names(self, path: str) -> tuple[str, ...]:
        names = names_of(path, self._job.workspace)
        if not names:
            raise NotAllowed("a file must be named")
        return names


def what(call: Call) -> str:
    """A call in one line, for the operator."""
    try:
        given = decoded(call.arguments.encode("utf-8", "replace"), dict)
    except Malformed:
        given = {}
    said = given.get("path") or given.get("text") or ""
    return " ".join(str(said).split())[:200]


def _given(raw: bytes, kind: type[T]) -> T:
    try:
        return decoded(raw, kind)
    except Malformed as error:
        raise NotAllowed(f"the arguments make no sense: {error}") from None


def _text(data: bytes, path: str) -> str:
    try:
        if b"\0" not in data:
            return data.decode()
    except UnicodeDecodeError:
        pass
    raise NotAllowed(f"{path} is no text file")
