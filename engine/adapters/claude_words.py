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


def use_line(given: Any) -> str:
    """What a tool is used for."""
    if isinstance(given, dict):
        for name in _TELLING:
            if isinstance(given.get(name), str) and given[name].strip():
                return first_line(given[name], _LINE)
    return first_line(_json(given), _LINE) if given else ""


def result_line(content: Any) -> str:
    """What came of it."""
    if isinstance(content, list):
        texts = (block.get("text") for block in content if isinstance(block, dict))
        content = "\n".join(text for text in texts if isinstance(text, str))
    return first_line(content, _LINE) if isinstance(content, str) else ""


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
