"""How is the use of a tool by Claude Code put into words: in one line to follow, or all of it to decide about?"""

import json
from typing import Any

from engine.adapters.claude_outcome import first_line

_TELLING = (
    "command",
    "file_path",
    "notebook_path",
    "path",
    "pattern",
    "url",
    "query",
    "skill",
    "description",
    "prompt",
)
"""Which field of a tool's input says what it is about, most telling first."""
_PATHS = {"Edit": "file_path", "Write": "file_path", "MultiEdit": "file_path", "NotebookEdit": "notebook_path"}
_LINE = 200
"""Characters."""
_LARGE = 64 * 1024
"""Characters of a result."""


def use_line(given: Any) -> str:
    """What a tool is used for."""
    if isinstance(given, dict):
        for name in _TELLING:
            if isinstance(given.get(name), str) and given[name].strip():
                return first_line(given[name], _LINE)
    return first_line(_json(given), _LINE) if given else ""


def result_line(content: Any) -> str:
    """What came of it, and how much that was where it was a lot: all of it is in the output of the run."""
    blocks = content if isinstance(content, list) else [{"text": content}]
    texts = [block.get("text") for block in blocks if isinstance(block, dict)]
    said = [text for text in texts if isinstance(text, str)]
    line = next(filter(None, (first_line(text, _LINE) for text in said)), "")
    chars = sum(map(len, said))
    return line if chars <= _LARGE else f"{line} [the first of {chars:,} characters]"


def wanted(given: Any) -> str:
    """All that a tool is given, nothing left out: `command: touch a`. Further lines of a value are indented, so that no
    value can look like another field."""
    if not isinstance(given, dict):
        return _json(given)
    texts = {name: value if isinstance(value, str) else _json(value) for name, value in given.items()}
    return "\n".join(f"{name}: {text}".replace("\n", "\n  ") for name, text in texts.items())


def path_of(tool: str, given: Any) -> str | None:
    """The one file that it wants to write, absolute, where it is that."""
    path = given.get(_PATHS.get(tool, "")) if isinstance(given, dict) else None
    return path if isinstance(path, str) and path.startswith("/") else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
