"""What does Claude Code tell while it works? Each line of its output becomes progress, once, and its end a result."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.adapters.claude_events import (
    ControlRequest,
    Denied,
    Fallback,
    Head,
    Init,
    Limited,
    Result,
    Retry,
    Spoken,
    Streamed,
    Task,
    Tasks,
    read,
)
from engine.adapters.claude_outcome import first_line, outcome
from engine.adapters.claude_text import Text
from engine.adapters.claude_turn import Turn, is_note
from engine.adapters.claude_usage import Tally
from engine.adapters.claude_words import path_of, result_line, use_line, wanted
from engine.adapters.tape import LONGEST_LINE, Tape, last_line
from engine.contract.launch import AdapterResult, RunUsage
from engine.contract.progress import (
    Answered,
    Asks,
    Began,
    Noted,
    Progress,
    ToolDone,
    ToolUse,
    TurnOver,
)

FACTS = "claude.json"
"""In the run's folder: what its reader has to know."""


class Facts(Struct, frozen=True):
    """What was known when the run was started."""

    before: RunUsage = RunUsage(0, 0, cost_microusd=0)
    """What the conversation had used."""
    open: bool = False
    """Whether its input stays open after a turn."""


class ClaudeReader:
    """Follows the output of one run, or of one turn of a held client.

    What its program does of its own accord before that turn is used by the run, too, but is no answer of it."""

    def __init__(self, folder: Path, start: int = 0) -> None:
        self._folder = folder
        self._tape = Tape(folder / "stdout.log", start)
        self._facts = _facts(folder)
        self._tally = Tally(self._facts.before if start == 0 else None)
        self._results: list[Result] = []
        self._told: list[Progress] = []
        self._began: Began | None = None
        self._asked: dict[str, str] = {}
        self._left: list[bytes] = []
        """Lines behind the end of the turn, which belong to the next one."""
        self._skipped = 0
        self._turn = Turn(is_open=self._facts.open)
        self._text = Text()
        self._hears: dict[str, Callable[[bytes], None]] = {
            "assistant": self._assistant,
            "user": self._user,
            "stream_event": self._streamed,
            "result": self._result,
            "control_request": self._asks,
            "control_cancel_request": self._cancelled,
            "control_response": self._heeded,
            "rate_limit_event": self._limited,
            "system/init": self._init,
            "system/api_retry": self._retry,
            "system/permission_denied": self._denied,
            "system/model_fallback": self._fell_back,
            "system/model_refusal_fallback": self._fell_back,
            "system/background_tasks_changed": self._tasks_changed,
            "system/task_started": self._task,
            "system/task_notification": self._task,
            "system/compact_boundary": self._compacted,
        }

    @property
    def usage(self) -> RunUsage | None:
        return self._tally.usage

    @property
    def turns(self) -> int:
        return self._tally.turns

    @property
    def offset(self) -> int:
        return self._tape.offset - sum(len(line) + 1 for line in self._left)

    def poll(self) -> Sequence[Progress] | None:
        lines = self._left or self._tape.lines()
        if lines is None:
            return None
        self._left = []
        self._note_skipped()
        for number, line in enumerate(lines, 1):
            self._hear(line)
            if self._told and isinstance(self._told[-1], TurnOver):
                self._left = lines[number:]
                break
        told, self._told = self._told, []
        return told

    def result(self, exit_code: int | None) -> AdapterResult:
        while self.poll() is not None:
            pass
        self._hear(self._tape.last())
        last_error = last_line(self._folder / "stderr.log")
        return outcome(self._results, self._tally, exit_code, last_error, self._text.so_far)

    def _note_skipped(self) -> None:
        if self._tape.skipped > self._skipped:
            self._skipped = self._tape.skipped
            self._tell(Noted("warning", f"a line of more than {LONGEST_LINE // 2**20} MiB of its output was left out"))

    def _hear(self, line: bytes) -> None:
        head = read(Head, line) if line else None
        if head is not None:
            kind = f"system/{head.subtype}" if head.type == "system" else head.type
            hear = self._hears.get(kind)
            if hear is not None:
                hear(line)

    def _tell(self, *progress: Progress) -> None:
        self._told += progress

    def _init(self, line: bytes) -> None:
        self._turn.begins()
        init = read(Init, line)
        began = Began(init.session_id, init.model, init.claude_code_version) if init else None
        if began is not None and began != self._began:
            self._began = began
            self._tell(began)

    def _assistant(self, line: bytes) -> None:
        spoken = read(Spoken, line)
        if spoken is None:
            return
        message = spoken.message
        if spoken.is_api_error_message or message.model == "<synthetic>":
            self._tell(*(Noted("error", first_line(block.text)) for block in _blocks(spoken) if block.text))
            return
        self._tally.response(message.id, message.usage)
        for block in _blocks(spoken):
            if block.type == "tool_use":
                self._tell(ToolUse(block.id, block.name, use_line(block.input)))
            elif spoken.parent_tool_use_id is None and self._turn.is_ours:
                self._tell(*self._text.whole(message.id, block.text, block.thinking))

    def _user(self, line: bytes) -> None:
        spoken = read(Spoken, line)
        if spoken is None:
            return
        self._turn.takes(spoken)
        for block in _blocks(spoken):
            if block.type == "tool_result":
                self._answered(block.tool_use_id)
                self._tell(ToolDone(block.tool_use_id, not block.is_error, result_line(block.content)))

    def _streamed(self, line: bytes) -> None:
        streamed = read(Streamed, line)
        if streamed is None:
            return
        event, name = streamed.event, streamed.api_message_id
        if event.message is not None:
            name = event.message.id or name
        usage = event.message.usage if event.message else event.usage
        if name is not None and usage is not None:
            self._tally.response(name, usage)
        if event.delta is not None and streamed.parent_tool_use_id is None and self._turn.is_ours:
            self._tell(*self._text.more(name, event.index, event.delta.text, event.delta.thinking))

    def _result(self, line: bytes) -> None:
        result = read(Result, line)
        if result is None:
            return
        self._answered(None)
        is_ours = self._turn.ends(result)
        if is_ours or not is_note(result):
            self._tally.over(result)
        if not result.is_error:
            self._text.over()
        if is_ours:
            self._results.append(result)
            if self._turn.is_over(result):
                self._end_turn()

    def _heeded(self, line: bytes) -> None:
        if self._turn.leaves():
            self._end_turn()

    def _end_turn(self) -> None:
        self._tell(TurnOver(outcome(self._results, self._tally, 0, "", self._text.so_far)))

    def _asks(self, line: bytes) -> None:
        asked = read(ControlRequest, line)
        if asked is None or not asked.request_id:
            return
        request = asked.request
        if request.subtype != "can_use_tool":
            self._tell(Noted("warning", f"it asks for {request.subtype}, which nobody answers"))
            return
        self._asked[asked.request_id] = request.tool_use_id
        what, path = wanted(request.input), path_of(request.tool_name, request.input)
        self._tell(Asks(asked.request_id, request.tool_name, what, path))

    def _cancelled(self, line: bytes) -> None:
        cancelled = read(ControlRequest, line)
        if cancelled is not None and self._asked.pop(cancelled.request_id, None) is not None:
            self._tell(Answered(cancelled.request_id))

    def _answered(self, done: str | None) -> None:
        """What was asked about this use of a tool needs no answer any more; None: about any."""
        for asked in [asked for asked, use in self._asked.items() if done in (None, use)]:
            del self._asked[asked]
            self._tell(Answered(asked))

    def _retry(self, line: bytes) -> None:
        retry = read(Retry, line)
        if retry is not None:
            kind = "limited" if retry.error == "rate_limit" else "retry"
            why = " ".join(str(one) for one in (retry.error_status, retry.error) if one)
            when = f"again in {retry.retry_delay_ms / 1000:.1f} s"
            self._tell(Noted(kind, f"{why or 'no answer'}: {when}, {retry.attempt} of {retry.max_retries}"))

    def _denied(self, line: bytes) -> None:
        denied = read(Denied, line)
        if denied is not None:
            self._tell(Noted("denied", first_line(f"{denied.tool_name}: {denied.message}")))

    def _fell_back(self, line: bytes) -> None:
        told = read(Fallback, line)
        if told is not None:
            words = told.content or f"{told.original_model} gives way to {told.fallback_model}"
            self._tell(Noted("fallback", first_line(words)))

    def _limited(self, line: bytes) -> None:
        limited = read(Limited, line)
        info = limited.rate_limit_info if limited else {}
        if info.get("status", "allowed") != "allowed":
            self._tell(
                Noted("limited", first_line(f"{info.get('status')}: {info.get('rateLimitType', 'usage limit')}"))
            )

    def _tasks_changed(self, line: bytes) -> None:
        changed = read(Tasks, line)
        if changed is not None:
            self._turn.changes(changed)

    def _task(self, line: bytes) -> None:
        task = read(Task, line)
        if task is not None:
            text = f"{task.status or 'started'}: {task.summary or task.description}"
            self._tell(Noted("task", first_line(text)))

    def _compacted(self, line: bytes) -> None:
        self._tell(Noted("compacted", "the client has summarized the conversation so far"))


def _blocks(spoken: Spoken) -> Sequence[Any]:
    content = spoken.message.content
    return () if isinstance(content, str) else content


def _facts(folder: Path) -> Facts:
    try:
        return msgspec.json.decode((folder / FACTS).read_bytes(), type=Facts)
    except (OSError, msgspec.MsgspecError):  # recorded without, or gone
        return Facts()
