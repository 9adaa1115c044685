"""What does an agent tell by its session updates? In our words; what a loaded session replays is not told again."""

import asyncio
from collections.abc import Mapping
from typing import Any

from engine.adapters.acp_client import usage
from engine.adapters.acp_client.calls import Call, merged
from engine.adapters.acp_client.lines import SAID_MOST, Tell, Used, clean, in_one_line
from engine.contract.progress import Began, Noted, Said, Thought, ToolDone, ToolUse

_OVER = ("completed", "failed")


class Updates:
    """Of one session, turn by turn."""

    def __init__(self, tell: Tell) -> None:
        self.microusd: int | None = None
        """What the session has cost, as last told."""
        self.used_tools = False
        self.trouble: str | None = None
        """What was said since the agent told that its system had failed; None when it has not."""
        self.model: str | None = None
        self._tell = tell
        self._live = False
        self._calls: dict[str, Call] = {}
        self._told: set[str] = set()
        self._said = False
        self._apart = False
        """Something else came since the last text."""
        self._message: Any = None
        self._heard = asyncio.Event()

    async def quiet(self, for_s: float) -> None:
        """Return once nothing has come for so long."""
        while True:
            self._heard.clear()
            try:
                await asyncio.wait_for(self._heard.wait(), for_s)
            except TimeoutError:
                return

    def begin_turn(self) -> None:
        """From here on it is news."""
        self._live = True
        self.used_tools, self.trouble = False, None
        self._said = self._apart = False
        self._calls.clear()
        self._told.clear()

    def end_turn(self) -> None:
        """Tools that were announced and never heard of again were used all the same, for all that is known."""
        for call in self._calls.values():
            self._use(call)
        self._live = False

    def take(self, params: Any) -> None:
        """One update, as it came."""
        self._heard.set()
        update = params.get("update") if isinstance(params, Mapping) else None
        if not isinstance(update, Mapping):
            return
        kind = update.get("sessionUpdate")
        if kind == "usage_update":
            self._usage(update)
        elif not self._live:
            return
        elif kind == "agent_message_chunk":
            self._say(_text(update.get("content")), update.get("messageId"))
        elif kind == "agent_thought_chunk":
            self._think(_text(update.get("content")))
        elif kind in ("tool_call", "tool_call_update"):
            self._tool(update, announced=kind == "tool_call")
        elif kind == "plan":
            self._plan(update.get("entries"))
        elif kind == "session_info_update":
            self._info(update)

    def asked(self, told: Mapping[str, Any]) -> Call:
        """The call for which permission is asked, with all that is known of it."""
        call = self._merge(told)
        self._use(call)
        return call

    def _say(self, text: str, message: Any) -> None:
        if not text:
            return
        if self.trouble is not None:
            self.trouble += text
        if self._said and (self._apart or message != self._message):
            text = "\n\n" + text
        self._said, self._apart, self._message = True, False, message
        for start in range(0, len(text), SAID_MOST):
            self._tell(Said(text[start : start + SAID_MOST]))

    def _think(self, text: str) -> None:
        self._apart = True
        for start in range(0, len(text), SAID_MOST):
            self._tell(Thought(text[start : start + SAID_MOST]))

    def _tool(self, update: Mapping[str, Any], announced: bool) -> None:
        self._apart = self.used_tools = True
        call = self._merge(update)
        if not announced or call.status != "pending":
            self._use(call)
        if call.status in _OVER and call.id in self._calls:
            del self._calls[call.id]
            self._tell(ToolDone(call.id, call.status == "completed", call.result))

    def _merge(self, told: Mapping[str, Any]) -> Call:
        name = clean(str(told.get("toolCallId")))
        call = merged(self._calls.get(name) or Call(name), told)
        self._calls[name] = call
        return call

    def _use(self, call: Call) -> None:
        if call.id not in self._told:
            self._told.add(call.id)
            self._tell(ToolUse(call.id, call.tool, call.what))

    def _plan(self, entries: Any) -> None:
        found = [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
        done = sum(entry.get("status") == "completed" for entry in found)
        now = [str(entry.get("content")) for entry in found if entry.get("status") == "in_progress"]
        if found:
            doing = f": {in_one_line(clean(now[0]))}" if now else ""
            self._tell(Noted("plan", f"{done} of {len(found)} steps done{doing}"))

    def _info(self, update: Mapping[str, Any]) -> None:
        """Codex answers `end_turn` even so; only this tells."""
        status = _inner(update, "_meta", "codex", "threadStatus")
        if isinstance(status, Mapping) and status.get("type") == "systemError" and self.trouble is None:
            self.trouble = ""

    def _usage(self, update: Mapping[str, Any]) -> None:
        cost = usage.microusd(update.get("cost"))
        self.microusd = self.microusd if cost is None else cost
        tokens = update.get("used")
        if self._live and isinstance(tokens, int) and not isinstance(tokens, bool) and 0 < tokens < 10**12:
            self._tell(Used(tokens))
        self.note_model(_inner(update, "_meta", "_claude/model"))

    def note_model(self, model: Any) -> None:
        """The model that works, where it is told, and is not known yet."""
        if self._live and isinstance(model, str) and model and model != self.model:
            self.model = clean(model)
            self._tell(Began(model=self.model))


def _text(content: Any) -> str:
    """Of a block of text; what else there is cannot be shown in a terminal, and is named."""
    if not isinstance(content, Mapping):
        return ""
    if content.get("type") == "text":
        return clean(str(content.get("text") or ""))
    return f"[{clean(str(content.get('type')))}]"


def _inner(found: Any, *names: str) -> Any:
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
