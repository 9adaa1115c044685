"""Which tools can be offered to a model, and how is each declared? Small: they go with every request."""

import json
from collections.abc import Sequence
from typing import Any

from engine.adapters.runner.job import Api

TOOLS: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "read": ("Read a text file.", {"path": "string", "from_line": "integer"}, ("path",)),
    "list": ("List a folder.", {"path": "string"}, ()),
    "search": (
        "Find lines that contain a text, in files whose path matches a glob.",
        {"text": "string", "glob": "string"},
        ("text",),
    ),
    "write": ("Write a whole file.", {"path": "string", "text": "string"}, ("path", "text")),
    "edit": (
        "Replace a text that occurs once in a file.",
        {"path": "string", "old": "string", "new": "string"},
        ("path", "old", "new"),
    ),
}
"""By name: what it does, its parameters with their types, and those that it needs."""


def declared(api: Api, tools: Sequence[str]) -> list[dict[str, Any]]:
    """As this API wants them declared, always in the same order."""
    return [_declared(api, name) for name in TOOLS if name in tools]


def tool_schemas(api: Api, tools: Sequence[str]) -> str:
    """The text that they amount to in a request; empty without tools."""
    found = declared(api, tools)
    return json.dumps(found, separators=(",", ":")) if found else ""


def _declared(api: Api, name: str) -> dict[str, Any]:
    what, parameters, needed = TOOLS[name]
    properties = {parameter: {"type": kind} for parameter, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(needed)}
    if api == "anthropic":
        return {"name": name, "description": what, "input_schema": schema}
    function = {"name": name, "description": what, "parameters": schema}
    if api == "responses":
        return {"type": "function", **function, "strict": False}
    return {"type": "function", "function": function}
