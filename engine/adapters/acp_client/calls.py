"""What does an agent do with a tool? It is told in pieces: each update may leave out what was said before."""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.adapters.acp_client.lines import clean, in_one_line

_PATH_KEYS = ("file_path", "filePath", "path", "absolute_path")
"""As agents call the file in a tool's input."""


class Call(Struct, frozen=True):
    """One use of a tool, as far as it is known."""

    id: str
    tool: str = "tool"
    title: str = ""
    kind: str = "other"
    status: str = "pending"
    content: tuple[Any, ...] = ()
    locations: tuple[str, ...] = ()
    raw_input: Any = None
    raw_output: Any = None

    @property
    def what(self) -> str:
        return in_one_line(self.title) or in_one_line(_as_json(self.raw_input)) or self.tool

    @property
    def result(self) -> str:
        """The first line of what came of it."""
        told = self.raw_output if isinstance(self.raw_output, str) else "\n".join(_texts(self.content))
        lines = [line for line in told.splitlines() if not line.strip().startswith("```")]
        return in_one_line("\n".join(lines))

    @property
    def request(self) -> str:
        """All that it would do, as text."""
        pieces = [self.title, *_inputs(self.raw_input)]
        pieces += [f"{path}:\n{text}" for path, text in _diffs(self.content)] if self.raw_input in (None, {}) else []
        pieces += [text for text in _texts(self.content) if not any(text in piece for piece in pieces)]
        pieces += [place for place in self.locations if not any(place in piece for piece in pieces)]
        return "\n".join(piece for piece in pieces if piece.strip()) or self.tool

    @property
    def path(self) -> str | None:
        """The one file that it would write, when it is an edit, and nothing that is told of it names another."""
        told = self.raw_input if isinstance(self.raw_input, Mapping) else {}
        paths = {*self.locations, *(path for path, _ in _diffs(self.content))}
        paths |= {clean(told[key]) for key in _PATH_KEYS if isinstance(told.get(key), str)}
        return paths.pop() if self.kind == "edit" and len(paths) == 1 else None


def merged(call: Call, told: Mapping[str, Any]) -> Call:
    """With what an update says; what it leaves out stays."""
    said: dict[str, Any] = {
        name: clean(told[name])
        for name in ("title", "kind", "status")
        if isinstance(told.get(name), str) and told[name]
    }
    tool = told.get("name") or said.get("kind")
    if isinstance(tool, str) and (told.get("name") or call.tool == "tool"):
        said["tool"] = in_one_line(clean(tool), 80)
    if isinstance(told.get("content"), list):
        said["content"] = tuple(told["content"])
    if isinstance(told.get("locations"), list):
        places = [place.get("path") for place in told["locations"] if isinstance(place, Mapping)]
        said["locations"] = tuple(clean(place) for place in places if isinstance(place, str))
    raw = {ours: told[theirs] for ours, theirs in _RAW if told.get(theirs) is not None}
    return replace(call, **said, **raw)


_RAW = (("raw_input", "rawInput"), ("raw_output", "rawOutput"))


def _inputs(raw: Any) -> list[str]:
    if not isinstance(raw, Mapping):
        return [] if raw is None else [_as_json(raw)]
    return [
        f"{clean(str(name))}: {clean(value) if isinstance(value, str) else _as_json(value)}"
        for name, value in raw.items()
    ]


def _as_json(value: Any) -> str:
    return "" if value in (None, {}) else clean(json.dumps(value, ensure_ascii=False))


def _diffs(content: tuple[Any, ...]) -> list[tuple[str, str]]:
    found = [one for one in content if isinstance(one, Mapping) and one.get("type") == "diff"]
    return [(clean(str(one.get("path"))), clean(str(one.get("newText") or ""))) for one in found]


def _texts(content: tuple[Any, ...]) -> list[str]:
    inner = [one.get("content") for one in content if isinstance(one, Mapping) and one.get("type") == "content"]
    return [
        clean(str(one.get("text") or "")) for one in inner if isinstance(one, Mapping) and one.get("type") == "text"
    ]
