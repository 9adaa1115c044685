"""What does a line that `codex exec --json` puts out mean? From (what was heard, line) to progress; reads nothing else.

Totals are those of the whole conversation; no line names a model, a price or a time. A command that the client itself
refuses to start is told to the model alone.
"""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from engine.contract.progress import Began, Noted, Progress, Said, Thought, ToolDone, ToolUse
from engine.telemetry.codex_rows import Tokens, Usage
from engine.telemetry.rows import BadRow

MOST_CHARS = 300
"""Of what is told of a tool in one line."""
RETRY = "Reconnecting..."

_UNAVAILABLE = re.compile(
    r"\bstatus:? (?:429|5\d\d)\b|stream disconnected|connection failed|error sending request|connection refused"
    r"|at capacity|overloaded|rate limit|usage limit|exceeded retry limit",
    re.IGNORECASE,
)
_NOT_SERVED = re.compile(r"\bstatus:? (?:4|5)\d\d\b|connection failed|connection refused", re.IGNORECASE)


_NULL = Raw(b"null")


class _Item(Struct):
    """One item of a turn, of whatever type."""

    id: str = ""
    type: str = ""
    text: str = ""
    message: str = ""
    command: str = ""
    aggregated_output: str = ""
    exit_code: int | None = None
    status: str = ""
    changes: Any = None
    server: str = ""
    tool: str = ""
    arguments: Any = None
    result: Any = None
    error: Any = None
    query: str = ""
    prompt: str | None = None


class _Failure(Struct):
    message: str = ""


class _Line(Struct):
    type: str = ""
    thread_id: str | None = None
    item: _Item | None = None
    usage: Raw = _NULL
    error: _Failure | None = None
    message: str = ""


_decoder = msgspec.json.Decoder(_Line)
_usage: msgspec.json.Decoder[Usage | None] = msgspec.json.Decoder(Usage | None)


class Heard:
    """What one run has told so far."""

    def __init__(self, resumed: str | None = None) -> None:
        self._resumed = resumed
        self.thread_id: str | None = None
        self.strayed = False
        """It works in another conversation than the one that it was to resume."""
        self.totals: Tokens | None = None
        """Of the conversation, after its last turn."""
        self.raw_usage: str | None = None
        """The same in its own words."""
        self.answer = ""
        self.failed = ""
        """Why the turn failed, in its own words."""
        self.over = False
        """A turn came to its end, and none has begun since."""
        self.retrying = ""
        """What it waits to try again; empty when it got on since."""
        self.turns = 0
        """Requests to the model for which there is evidence; several calls of tools may be one."""
        self._open: set[str] = set()
        self._used_tools = False

    def line(self, line: bytes) -> list[Progress]:
        """What it adds. A line that makes no sense, or is of a kind that is not known, adds nothing."""
        try:
            told = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return []
        if told.type == "error":
            return self._error(told.message)
        self.retrying = ""
        match told.type:
            case "thread.started":
                return self._began(told.thread_id)
            case "turn.started":
                self.over, self.failed = False, ""
                self.turns += 1
            case "turn.completed":
                self._completed(told.usage)
            case "turn.failed":
                self.failed = plain(told.error.message if told.error else "") or "its turn failed"
            case "item.started" | "item.updated" | "item.completed" if told.item is not None:
                return self._item(told.item, done=told.type == "item.completed")
        return []

    def _began(self, thread_id: str | None) -> list[Progress]:
        self.thread_id = thread_id
        self.strayed = self._resumed is not None and thread_id != self._resumed
        if self.strayed:
            return [Noted("warning", f"it did not go on with {self._resumed}, but in a new conversation")]
        return [Began(provider_id=thread_id)]

    def _completed(self, usage: Raw) -> None:
        self.over = True
        self._count_answer()
        try:
            told = _usage.decode(usage)
            if told is not None:
                self.totals, self.raw_usage = told.tokens(), bytes(usage).decode()
        except (msgspec.MsgspecError, UnicodeDecodeError, BadRow):
            return

    def _error(self, message: str) -> list[Progress]:
        if message.startswith(RETRY):
            self.retrying = message
            return [Noted("retry", plain(message))]
        self.retrying = ""
        self.failed = plain(message)
        return []

    def _item(self, item: _Item, *, done: bool) -> list[Progress]:
        match item.type:
            case "agent_message" | "reasoning" if done:
                return self._words(item)
            case "error":
                return [Noted("warning", plain(item.message))] if done else []
            case "agent_message" | "reasoning" | "todo_list":
                return []
        named = tool_of(item)
        return self._tool(item, *named, done=done) if named is not None else []

    def _words(self, item: _Item) -> list[Progress]:
        self._count_answer()
        if item.type == "reasoning":
            return [Thought(item.text)]
        more = f"\n\n{item.text}" if self.answer else item.text
        self.answer = item.text
        return [Said(more)]

    def _count_answer(self) -> None:
        """Words behind the result of a tool are from another request."""
        if self._used_tools and not self._open:
            self.turns += 1
            self._used_tools = False

    def _tool(self, item: _Item, tool: str, what: str, *, done: bool) -> list[Progress]:
        told: list[Progress] = []
        if item.id not in self._open:
            told.append(ToolUse(item.id, tool, what))
            self._open.add(item.id)
        if done:
            self._open.discard(item.id)
            self._used_tools = True
            told.append(ToolDone(item.id, *result_of(item)))
        return told


def tool_of(item: _Item) -> tuple[str, str] | None:
    """The tool that an item tells of, and what it does with it; None when it is of another kind."""
    match item.type:
        case "command_execution":
            return "shell", first_line(item.command)
        case "file_change":
            return "apply_patch", first_line(", ".join(_changes(item.changes)))
        case "mcp_tool_call":
            return f"{item.server}.{item.tool}", _brief(item.arguments)
        case "web_search":
            return "web_search", first_line(item.query)
        case "collab_tool_call":
            return item.tool or "agents", first_line(item.prompt or "")
    return None


def result_of(item: _Item) -> tuple[bool, str]:
    """Whether it worked, and the first line of what came of it."""
    ok = item.status in ("completed", "") and item.error is None
    if item.type == "command_execution":
        code = "" if item.exit_code is None else f"exit code {item.exit_code}"
        return ok, first_line(item.aggregated_output) or code
    failure = item.error.get("message") if isinstance(item.error, dict) else item.error
    return ok, first_line(failure) if isinstance(failure, str) else item.status


def unavailable(why: str) -> bool:
    """Whether the model could not be reached or would not serve: another one may."""
    return _UNAVAILABLE.search(why) is not None


def costs_nothing(why: str) -> bool:
    """Whether what failed so was never given to a model: a status instead of an answer, or no connection."""
    return _NOT_SERVED.search(why) is not None


def plain(message: str) -> str:
    """In one line: some errors come as the JSON of the server's answer."""
    try:
        inner = msgspec.json.decode(message)
        message = inner["error"]["message"]
    except (msgspec.MsgspecError, UnicodeEncodeError, KeyError, TypeError, RecursionError):
        pass
    return first_line(message) if isinstance(message, str) else ""


def first_line(text: str) -> str:
    """The first line that says anything, cut."""
    return text.strip().partition("\n")[0][:MOST_CHARS]


def _changes(changes: Any) -> list[str]:
    listed = changes if isinstance(changes, list) else []
    return [f"{one.get('kind', 'change')} {one.get('path', '')}" for one in listed if isinstance(one, dict)]


def _brief(arguments: Any) -> str:
    return "" if arguments is None else msgspec.json.encode(arguments).decode()[:MOST_CHARS]
