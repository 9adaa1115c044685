"""What does one hear of the deck, read out line by line? Each thing once as it is; afterwards what has become of it.

Pure. Only what an operator would want to be told is compared: states. Counters move all the time, and stand in the line
that was read out first.
"""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from msgspec import Struct
from textual.message import Message

from state.events import Event
from tui import messages
from tui.panes.budgets import is_window, spent, window_title
from tui.panes.jobs import SLOT_LETTERS
from tui.reading import changes
from tui.reading.states import NOTHING, state_of
from tui.text import amount, clock, cost, due, percent, plural, token_words, tokens

LISTED = 20
"""Things of one kind that are read out; of more, the number is."""
_LEVELS = {"ok": "ok", "warn": "near its limit", "full": "full"}


class Fact(Struct, frozen=True):
    """One thing, and what of it is told when it changes."""

    name: str
    state: tuple[str, ...]
    """In words; compared."""
    beside: str = ""
    """What is only read out the first time."""

    def line(self) -> str:
        words = ", ".join(part for part in (*self.state, self.beside) if part)
        return f"{self.name}: {words}" if words else self.name


Facts = dict[Any, Fact]


class Reader:
    """What has been read out so far. One per listener."""

    def __init__(self) -> None:
        self._told: dict[str, Facts] = {}
        self._last_event = 0
        self._zone: tzinfo | None = None

    def take(self, message: Message, now_ms: int) -> list[str]:
        """The lines to read out for what the feed or the link has told."""
        match message:
            case changes.ConfigChanged():
                self._zone = message.zone
                return []
            case changes.EventsChanged():
                return self._events(message.rows)
            case changes.SpendChanged() if "Today" in self._told:
                return []
            case changes.StateUnreadable() | messages.EngineFailed():
                return [f"{clock(now_ms, self._zone)} {message.line}"] if message.line else []
            case messages.EngineGone():
                return [f"{clock(now_ms, self._zone)} the engine died; starting another"]
            case _:
                found = facts(message, now_ms, self._zone)
                return self._differences(*found, now_ms) if found else []

    def _differences(self, title: str, new: Facts, now_ms: int) -> list[str]:
        old = self._told.get(title)
        self._told[title] = new
        if old is None:
            return block(title, new)
        return [f"{clock(now_ms, self._zone)} {line}" for line in differences(old, new)]

    def _events(self, rows: Sequence[Event]) -> list[str]:
        """Those that are new, oldest first; at first, the newest few."""
        begun = self._last_event != 0
        new = [event for event in reversed(rows) if event.id > self._last_event]
        missed = new[0].id - self._last_event - 1 if begun and new else 0
        self._last_event = max((event.id for event in rows), default=self._last_event)
        said = [f"{clock(event.at_ms, self._zone)} {_event(event)}" for event in (new if begun else new[-5:])]
        if not begun:
            return ["", "What happened last", *(f"  {line}" for line in said)] if said else []
        return [f"({plural(missed, 'event')} not read out)", *said] if missed > 0 else said


def _event(event: Event) -> str:
    """With the run that it is about: whoever listens does not see the line beside it."""
    number = f"run {event.run_id}"
    return event.text if event.run_id is None or number in event.text else f"{number}, {event.text}"


def block(title: str, told: Facts) -> list[str]:
    """A kind of thing as it is now. Where there is one only, without a number."""
    if title in ("Engine", "Today"):
        return [fact.line() for fact in told.values()]
    if not told:
        return ["", f"{title}: none"]
    rest = len(told) - LISTED
    lines = [f"  {fact.line()}" for fact in list(told.values())[:LISTED]]
    return ["", f"{title}: {len(told):,}", *lines, *([f"  and {rest:,} more"] if rest > 0 else [])]


def differences(old: Facts, new: Facts) -> list[str]:
    """What has come, what has become of what was there, and what is gone."""
    lines = []
    for key, fact in new.items():
        before = old.get(key)
        if before is None:
            lines.append(f"new: {fact.line()}")
        elif before.name != fact.name:
            lines.append(f"{before.name} is now {fact.line()}")
        elif before.state != fact.state:
            lines.append(f"{fact.name}: {became(before.state, fact.state)}")
    return [*lines, *(f"gone: {fact.name}" for key, fact in old.items() if key not in new)]


def became(old: tuple[str, ...], new: tuple[str, ...]) -> str:
    """`working, was idle`, of the parts that differ."""
    if len(old) != len(new):
        return f"{', '.join(filter(None, new))}, was {', '.join(filter(None, old))}"
    pairs = [(before or "nothing", after or "nothing") for before, after in zip(old, new, strict=True)]
    return "; ".join(f"{after}, was {before}" for before, after in pairs if before != after)


def facts(message: Message, now_ms: int, zone: tzinfo | None) -> tuple[str, Facts] | None:
    """A title, and what is to be told under it; None for what is not read out."""
    match message:
        case changes.HeaderChanged():
            return "Engine", {0: Fact("Engine", (message.engine.state,))}
        case changes.SessionsChanged():
            return "Sessions", {row.id: _session(row, message.board, now_ms, zone) for row in message.board.rows}
        case changes.JobsChanged():
            return "Jobs", {row.name: _job(row, now_ms, zone) for row in message.rows}
        case changes.BudgetsChanged():
            windows = {(row.source, row.provider_home, row.name): _window(row) for row in message.board.windows}
            return "Budgets", {(row.name, row.unit): _budget(row) for row in message.board.rows} | windows
        case changes.SkillsChanged():
            held = {path: Fact(f"skill {path}", ("held", why)) for path, why in message.board.held.items()}
            return "Skill sets", {row.name: _set(row) for row in message.board.sets} | held
        case changes.InboxChanged():
            return "Waits for your word", {
                row.id: Fact(f"run {row.run_id}", ("asks: qd approvals",), " ".join(row.task)[:200])
                for row in message.rows
            }
        case changes.NoticesChanged():
            return "Notices", {row.key: Fact(row.level, (row.text,)) for row in message.rows}
        case changes.SpendChanged():
            return "Today", {0: _today(message.spend)}
        case _:
            return None


def _session(row: Any, board: Any, now_ms: int, zone: tzinfo | None) -> Fact:
    known = board.known.get(row.id, NOTHING)
    state = state_of(row, known, now_ms, zone)
    rests = row.agent is None and state.letter in ">o"  # its log grows now and then: that is no news
    word = (
        "seen, not ours" if rests
        else f"needs you: {known.asks}" if known.asks is not None
        else f"{state.word}, run {row.live_run_id}" if row.live_run_id is not None
        else state.word
    )  # fmt: skip
    name = row.title or row.job or row.workspace or "untitled"
    last = f"last run {row.last_outcome.replace('_', ' ')}" if row.last_outcome else ""
    return Fact(f"session {row.id}, {row.agent or row.source}, {name}", (word, last), _used(row))


def _used(row: Any) -> str:
    """What is known of it; what is not is left out, or said to be unknown."""
    if not row.responses:
        return ""
    fill = row.context_tokens / row.context_window if row.context_tokens is not None and row.context_window else None
    full = f"context {percent(fill)} full" if fill is not None else ""
    spent = _cost(cost(row.cost_microusd, row.unpriced, row.responses))
    return ", ".join(part for part in (full, token_words(row.total_tokens), spent) if part)


def _cost(said: str) -> str:
    return said if said[:1] == "$" else "cost unknown"


def _job(row: Any, now_ms: int, zone: tzinfo | None) -> Fact:
    last = row.slots[-1].state if row.slots else "never fired"
    assert not row.slots or last in SLOT_LETTERS, last
    next_due = f"next {due(row.next_due_ms, now_ms, zone)}" if row.enabled else ""
    return Fact(f"job {row.name}", ("" if row.enabled else "paused", f"last {last}"), next_due)


def _budget(row: Any) -> Fact:
    unit = "tokens" if row.unit == "tokens" else ""
    limit = f"{amount(row.unit, row.most, row.spent)} {unit}".rstrip()
    if row.window == "run":
        return Fact(f"budget {row.name}, each run", (), f"{limit} for each run")
    held = f", {amount(row.unit, row.held)} held" if row.held else ""
    figures = f"{spent(row)} spent{held} of {limit}"
    return Fact(f"budget {row.name}, each {row.window}", (_LEVELS.get(row.word, row.word),), figures)


def _window(row: Any) -> Fact:
    assert is_window(row)
    used = tokens(row.used_tokens) if row.kind == "block" else percent(row.used_percent and row.used_percent / 100)
    return Fact(window_title(row), (str(row.state),), f"{used} used")


def _set(row: Any) -> Fact:
    used = f"used by {', '.join(row.used_by)}" if row.used_by else "used by nobody"
    return Fact(f"skill set {row.name}", (plural(len(row.skills), "skill"), used), token_words(row.body_tokens))


def _today(spend: Any) -> Fact:
    spent = _cost(cost(spend.cost_microusd, spend.unpriced, spend.responses))
    burn = f"{tokens(spend.burn)} a minute"
    return Fact("Today", (), f"{token_words(spend.today)}, {spent}, {burn}, {spend.running} running")
