"""Every agent session on this machine: ours, and those that another tool's logs tell of."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from state.board import BoardRow
from state.sessions import OURS
from tui import actions
from tui.panes.messages import AttachAsked, ResetAsked, SessionOpened, StopAsked, TalkAsked, ask
from tui.panes.pane import Pane
from tui.text import TREND_MARKS, age, cost, percent, short_path, tokens
from tui.theme import Palette, Tone
from tui.views import SessionBoard
from tui.widgets.cells import Cell, Column, span

if TYPE_CHECKING:
    from tui.figures import CacheFigures

SOURCE_WORDS = {"claude_code": "claude"}
FULL_FROM = 0.8
"""A context that is fuller stands out: it will be compacted, or refused."""
_TONES: dict[str, Tone] = {"!": "warn", ">": "accent", "o": "dim", ".": "dim"}


class SessionsPane(Pane[BoardRow]):
    """The newest session first."""

    BINDINGS = actions.bindings("sessions")

    CONTEXT = "sessions"
    COLUMNS = (
        Column("S", 1),
        Column("agent", 8),
        Column("session", 15, grows=True),
        Column("ctx", 4, "right"),
        Column("cache", 5, "right"),
        Column("tok/h", 6, "right"),
        Column("cost", 6, "right"),
        Column("spent", 6, "right", drop=2),
        Column("active", 6, "right", drop=1),
        Column("id", 4, "right", drop=3),
        Column("gen", 3, "right", drop=4),
        Column("model", 17, drop=5),
        Column("last run", 11, drop=6),
        Column("lane", 8, drop=7),
    )
    TEACHING = (
        "No sessions yet.",
        "Sessions of agent CLIs under this home (qd doctor)",
        "appear here by themselves, with what they spend;",
        "press s to spawn one that needs no model.",
    )

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.waiting: frozenset[int] = frozenset()
        self.asking: frozenset[int] = frozenset()
        self.waiting_runs: Mapping[int, int] = {}
        """By session, its newest run where that one waits."""
        self.scanning = ""
        self.cache: Mapping[int, CacheFigures] = {}
        self._user = str(Path("~").expanduser())

    def take(self, board: SessionBoard) -> None:
        self.waiting, self.cache, self.scanning = board.waiting, board.cache, board.scanning
        self.asking, self.waiting_runs = board.asking, board.runs
        self.show(board.rows)

    def key(self, row: BoardRow) -> Hashable:
        return row.id

    def cells(self, row: BoardRow) -> Sequence[Cell]:
        letter = self.letter(row)
        unread = ""
        if row.agent is None and row.responses == 0:
            unread = "…" if self.scanning else "-" if row.read == 0 else ""
        quiet: Tone = "dim" if row.agent is None else "text"
        return (
            span(letter, _TONES.get(letter, "text")),
            span(row.agent or SOURCE_WORDS.get(row.source, row.source), quiet),
            span(self.title_of(row)),
            context_cell(row.context_tokens, row.context_window),
            self._cached(row),
            span(unread or tokens(row.recent_tokens), "text" if row.recent_tokens else "dim"),
            span(unread, "dim") if unread else cost_cell(row),
            span(unread or tokens(row.total_tokens)),
            span(age(row.last_active_ms, self.now_ms) if self.now_ms else "", "dim"),
            span(str(row.id), "dim"),
            span(str(row.generation), "dim"),
            span(row.model or "-", "dim"),
            span(self._last(row), "bad" if row.last_outcome in ("failed", "timed_out") else "dim"),
            span(row.lane if row.source == OURS else "-", "dim"),
        )

    def _cached(self, row: BoardRow) -> Cell:
        """`91%^`: the part of its input that came from the cache, and where that goes."""
        found = self.cache.get(row.id)
        if found is None:
            return span("-", "dim")
        return span(f"{percent(found.ratio)}{TREND_MARKS.get(found.trend or '', '')}", trend_tone(found.trend))

    def letter(self, row: BoardRow) -> str:
        """The state of a session, in one character."""
        if row.id in self.asking:
            return "!"
        if row.live_run_id is not None:
            return ">"
        if row.id in self.waiting:
            return "z"
        return "o" if row.agent is None else "."

    def title_of(self, row: BoardRow) -> str:
        """What it is about: its title, else the job it belongs to, else where it works."""
        where = short_path(row.workspace, self._user) if row.workspace else ""
        return row.title or row.job or where or f"session {row.id}"

    def note(self) -> Cell:
        if self.scanning:
            return ((self.scanning, "warn"),)
        working = sum(row.live_run_id is not None for row in self.all_rows)
        return ((f"{working} working", "accent"),) if working else ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row = self.table.selected
        if row is not None and (
            (action in ("reset", "talk") and row.agent is None) or (action == "stop" and self._open_run(row) is None)
        ):
            return False
        return super().check_action(action, parameters)

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    async def action_open(self) -> None:
        if row := self.table.selected:
            await ask(self.app, SessionOpened(row.id))

    async def action_talk(self) -> None:
        if row := self.table.selected:
            await ask(self.app, TalkAsked(row.id))

    def action_attach(self) -> None:
        if row := self.table.selected:
            self.post_message(AttachAsked(row.id))

    def action_reset(self) -> None:
        if row := self.table.selected:
            self.post_message(ResetAsked(row.id))

    def action_stop(self) -> None:
        row = self.table.selected
        if row and (run_id := self._open_run(row)) is not None:
            self.post_message(StopAsked(run_id, waits=row.live_run_id is None))

    def _open_run(self, row: BoardRow) -> int | None:
        """The run that can be stopped or withdrawn."""
        return row.live_run_id if row.live_run_id is not None else self.waiting_runs.get(row.id)

    def _last(self, row: BoardRow) -> str:
        if row.live_run_id is not None:
            return row.live_trigger or "running"
        if row.id in self.waiting_runs:
            return "waits"
        return (row.last_outcome or "-").replace("_", " ")


def context_cell(context_tokens: int | None, window: int | None) -> Cell:
    """`62%`, or `-` while the context or the model's window is unknown."""
    fill = context_tokens / window if context_tokens is not None and window else None
    return span(percent(fill), "dim" if fill is None else "warn" if fill >= FULL_FROM else "text")


def cost_cell(row: BoardRow) -> Cell:
    """`$0.83`, `$0.83+` when a part has no price, `-` when nothing has one or nothing was read."""
    if row.responses == 0:
        return span("-", "dim")
    said = cost(row.cost_microusd, row.unpriced, row.responses)
    return span(said, "dim" if said in ("-", "$0.00") else "text")


def trend_tone(trend: str | None) -> Tone:
    """A cache that serves ever less costs money: that stands out."""
    return "warn" if trend == "falling" else "text"
