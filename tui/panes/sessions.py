"""Every agent session on this machine: ours, and those that another tool's logs tell of."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from state.board import BoardRow
from state.sessions import OURS
from tui import actions
from tui.lists.fresh import Fresh
from tui.panes import unstarted
from tui.panes.copies import Copies
from tui.panes.messages import AttachAsked, EditorAsked, ResetAsked, RunOpened, SessionOpened, StopAsked, TalkAsked, ask
from tui.panes.pane import Pane
from tui.panes.urgent import Ranked, Row, key_of, ranked
from tui.reading.able import OBSERVED, no_attach, no_talk
from tui.reading.clients import called
from tui.reading.states import NOTHING, Evidence, State, Unstarted, state_of
from tui.reading.views import SessionBoard
from tui.text import TREND_MARKS, age, cost, percent, short_path, tokens
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, Column, Span, span

if TYPE_CHECKING:
    from tui.reading.figures import CacheFigures

FULL_FROM = 0.8
"""A context that is fuller stands out: it will be compacted, or refused."""
MARKED = 100
"""Rows whose figures are marked when they change: what has just been used is at the top."""


class SessionsPane(Pane[Row]):
    """What waits for the operator first, runs without a session too; then what works; then the newest."""

    BINDINGS = actions.bindings("sessions")

    CONTEXT = "sessions"
    COLUMNS = (
        Column("S", 1, letter="S"),
        Column("id", 5, "right", drop=4),
        Column("agent", 8, letter="A"),
        Column("session", 15, grows=True, letter="O"),
        Column("ctx", 4, "right", letter="X"),
        Column("cache", 5, "right", letter="H"),
        Column("tok/h", 6, "right", letter="K"),
        Column("cost", 6, "right", drop=1, letter="C"),
        Column("state", 8, drop=2),
        Column("active", 6, "right", drop=3, letter="T"),
        Column("why", 30, drop=5, grows=True),
        Column("conversation", 18, drop=6),
        Column("spent", 6, "right", drop=7, letter="P"),
        Column("lane", 8, drop=8),
        Column("gen", 3, "right", drop=9),
        Column("model", 17, drop=10, letter="M"),
    )
    TEACHING = (
        "No sessions yet; qd demo shows some at work.",
        "Sessions of agent CLIs under this home (qd doctor)",
        "appear here by themselves, with what they spend;",
        "{spawn} spawns one that needs no model.",
    )

    ON_ROW = Pane.ON_ROW | {"open", "reset", "talk", "attach", "stop", "editor"}
    WITH_MANY = frozenset({"stop", "reset"})

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.known_of: Mapping[int, Evidence] = {}
        self.board: SessionBoard | None = None
        self.ranked = Ranked()
        self.scanning = ""
        self.cache: Mapping[int, CacheFigures] = {}
        self._user = str(Path("~").expanduser())
        self.fresh = Fresh()

    def take(self, board: SessionBoard) -> None:
        self.fresh.take({key: said for row in board.rows[:MARKED] for key, said in figures(row).items()})
        self.known_of, self.cache, self.scanning = board.known, board.cache, board.scanning
        self.board = board
        self._rank()

    def tick(self, now_ms: int) -> None:
        self.fresh.age()
        super().tick(now_ms)
        if self.ranked.until_ms is not None and now_ms >= self.ranked.until_ms:
            self._rank()

    def _rank(self) -> None:
        assert self.board is not None
        self.ranked = ranked(self.board.rows, self.board.unstarted, self.known_of, self.now_ms)
        self.listing.told()
        self.show(self.ranked.rows)

    def key(self, row: Row) -> Hashable:
        return key_of(row)

    def cells(self, row: Row) -> Sequence[Cell]:
        if isinstance(row, Unstarted):
            return unstarted.cells(row, self.now_ms, [column.title for column in self.COLUMNS])
        state = self.state(row)
        unread = "" if counted(row) else "-"
        if self.scanning and row.agent is None and not row.responses:
            unread = "…"
        quiet: Tone = "dim" if row.agent is None else "text"
        return (
            span(state.letter, state.tone),
            span(str(row.id), "dim"),
            span(called(row.agent or row.source), quiet),
            span(self.title_of(row)),
            self._marked(row, "ctx", context_cell(row.context_tokens, row.context_window)),
            self._cached(row),
            span(unread or tokens(row.recent_tokens), "dim" if unread or not row.recent_tokens else "text"),
            span(unread, "dim") if unread else self._marked(row, "cost", cost_cell(row)),
            span(state.word, state.tone if state.letter in "!>" else "dim"),
            span(age(row.last_active_ms, self.now_ms) if self.now_ms else "", "dim"),
            span(state.why if self.now_ms else "", "warn" if state.letter == "!" else "dim"),
            span((row.last_reuse or "-").replace("_", " "), "dim"),
            self._marked(row, "spent", span(unread or tokens(row.total_tokens), "dim" if unread else "text")),
            span(row.lane if row.source == OURS else "-", "dim"),
            span(str(row.generation), "dim"),
            span(row.model or "-", "dim"),
        )

    def worth(self, row: Row, title: str) -> Any:
        if isinstance(row, Unstarted):
            return unstarted.worth(row, title)
        match title:
            case "S":
                return self.state(row).rank
            case "agent":
                return called(row.agent or row.source)
            case "session":
                return self.title_of(row)
            case "ctx":
                return fill_of(row.context_tokens, row.context_window)
            case "cache":
                return self.cache[row.id].ratio if row.id in self.cache else None
            case "tok/h":
                return row.recent_tokens if counted(row) else None
            case "cost":
                return row.cost_microusd if row.responses > row.unpriced else None
            case "active":
                return row.last_active_ms
            case "spent":
                return row.total_tokens if counted(row) else None
            case _:
                return row.model

    def copies(self, row: Row) -> Copies:
        if isinstance(row, Unstarted):
            return unstarted.copies(row)
        more = (("title", row.title), ("workspace", row.workspace))
        return (("session id", str(row.id)), *((what, text) for what, text in more if text))

    def _marked(self, row: BoardRow, figure: str, cell: Cell) -> Cell:
        """The figure, standing out when it has just changed."""
        key = (row.id, figure)
        return tuple((text, self.fresh.tone(key, tone)) for text, tone in cell) if key in self.fresh else cell

    def _cached(self, row: BoardRow) -> Cell:
        """`91%^`: the part of its input that came from the cache, and where that goes."""
        found = self.cache.get(row.id)
        if found is None:
            return span("-", "dim")
        return span(f"{percent(found.ratio)}{TREND_MARKS.get(found.trend or '', '')}", trend_tone(found.trend))

    def state(self, row: Row) -> State:
        """Its letter, its word, and how that is known."""
        if isinstance(row, Unstarted):
            return unstarted.state(row)
        return state_of(row, self.known_of.get(row.id, NOTHING), self.now_ms)

    def title_of(self, row: Row) -> str:
        """What it is about: its title, else the job it belongs to, else where it works."""
        if isinstance(row, Unstarted):
            return unstarted.title(row)
        where = short_path(row.workspace, self._user) if row.workspace else ""
        return row.title or row.job or where or f"session {row.id}"

    def note(self) -> Cell:
        if self.scanning:
            return ((self.scanning, "warn"),)
        working, needs = self._counted(self.ranked.working), self._counted(self.ranked.asking)
        said: list[Span] = [(f"{working:,} working", "accent")] if working else []
        if needs:
            said += [(", ", "dim")] if said else []
            said.append((f"{needs:,} {'needs' if needs == 1 else 'need'} me{self._first_question()}", "warn"))
        return tuple(said)

    def _counted(self, keys: frozenset[Hashable]) -> int:
        """How many of them are shown."""
        return sum(self.key(row) in keys for row in self.table.rows) if self.listing.text else len(keys)

    def _first_question(self) -> str:
        """`: Bash rm -rf build`, of the one on top: a narrow list has no room for why."""
        first = next((row for row in self.table.rows if self.key(row) in self.ranked.asking), None)
        if first is None:
            return ""
        return f": {first.asks if isinstance(first, Unstarted) else self.known_of[first.id].asks}"

    def can(self, action: str, row: Row) -> bool:
        return not self.why_not(action, row) and (action != "stop" or self._open_run(row) is not None)

    def why_not(self, action: str, row: Row) -> str:
        """Why this cannot be done with a session like that; empty when it can, or when nothing runs in it."""
        if isinstance(row, Unstarted):
            return unstarted.LACKS if action in ("talk", "attach", "reset") else ""
        config = getattr(self.app, "config", None)
        if action == "talk":
            return no_talk(row.agent, config)
        if action == "attach":
            return no_attach(row, config, gone=self.known_of.get(row.id, NOTHING).gone)
        observed = action in ("reset", "editor") or (action == "stop" and self._open_run(row) is None)
        return OBSERVED if observed and row.agent is None else ""

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    async def action_open(self) -> None:
        if row := self.table.selected:
            opened = RunOpened(row.run.id) if isinstance(row, Unstarted) else SessionOpened(row.id)
            await ask(self.app, opened)

    async def action_talk(self) -> None:
        for row in self._sessions("talk"):
            await ask(self.app, TalkAsked(row.id))

    def action_attach(self) -> None:
        for row in self._sessions("attach"):
            self.post_message(AttachAsked(row.id))

    def action_reset(self) -> None:
        rows = self._sessions("reset")
        if self.marked:
            self.post_message(self._with_many("reset", [(self._named(row), row.id) for row in rows]))
        elif rows:
            self.post_message(ResetAsked(rows[0].id))

    def action_stop(self) -> None:
        rows = self.chosen("stop")
        if self.marked:
            found = [(f"run {self._open_run(row)} {self.title_of(row)}", self._open_run(row)) for row in rows]
            self.post_message(self._with_many("stop", found))
        elif rows and (run_id := self._open_run(rows[0])) is not None:
            self.post_message(StopAsked(run_id, waits=isinstance(rows[0], Unstarted) or rows[0].live_run_id is None))

    def action_editor(self) -> None:
        """Its agent's entry of the configuration."""
        for row in self.chosen("editor"):
            agent = row.run.agent if isinstance(row, Unstarted) else row.agent
            self.post_message(EditorAsked(entry=("agent", agent or "")))

    def _sessions(self, action: str) -> list[BoardRow]:
        """Those that it would be done with: a run without a session can only be looked at and ended."""
        return [row for row in self.chosen(action) if not isinstance(row, Unstarted)]

    def _named(self, row: BoardRow) -> str:
        return f"session {row.id} {self.title_of(row)}"

    def _open_run(self, row: Row) -> int | None:
        """The run that can be stopped or withdrawn."""
        if isinstance(row, Unstarted):
            return row.run.id
        return row.live_run_id if row.live_run_id is not None else self.known_of.get(row.id, NOTHING).waits_run


def counted(row: BoardRow) -> bool:
    """Whether its figures are known: what no log has told of is no zero, what one has told of as nothing is."""
    return bool(row.responses or (row.read and row.source != OURS))


def figures(row: BoardRow) -> dict[Hashable, str]:
    """What is said of each figure that is marked when it changes."""
    return {
        (row.id, "ctx"): context_cell(row.context_tokens, row.context_window)[0][0],
        (row.id, "cost"): cost_cell(row)[0][0],
        (row.id, "spent"): tokens(row.total_tokens),
    }


def context_cell(context_tokens: int | None, window: int | None) -> Cell:
    """`62%`, or `-` while the context or the model's window is unknown."""
    fill = fill_of(context_tokens, window)
    return span(percent(fill), "dim" if fill is None else "warn" if fill >= FULL_FROM else "text")


def fill_of(context_tokens: int | None, window: int | None) -> float | None:
    return context_tokens / window if context_tokens is not None and window else None


def cost_cell(row: BoardRow) -> Cell:
    """`$0.83`, `$0.83+` when a part has no price, `-` when nothing has one or nothing was read."""
    if row.responses == 0:
        return span("-", "dim")
    said = cost(row.cost_microusd, row.unpriced, row.responses)
    return span(said, "dim" if said in ("-", "$0.00") else "text")


def trend_tone(trend: str | None) -> Tone:
    """A cache that serves ever less costs money: that stands out."""
    return "warn" if trend == "falling" else "text"
