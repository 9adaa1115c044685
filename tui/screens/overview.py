"""The whole deck at a glance: sessions, jobs, budgets, skills, and what just happened."""

import socket
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui import actions, changes
from tui.clean import clean
from tui.panes.budgets import BudgetsPane
from tui.panes.jobs import JobsPane
from tui.panes.messages import InboxAsked, SpawnAsked, UndoAsked, ask
from tui.panes.pane import AnyPane
from tui.panes.runs import RunsPane
from tui.panes.sessions import SessionsPane
from tui.panes.skills import SkillsPane
from tui.screens.screen import DeckScreen
from tui.text import tokens
from tui.theme import Palette, Tone
from tui.views import EngineStatus, Spend
from tui.widgets.cells import Cell
from tui.widgets.header import Header, header_line
from tui.widgets.lines import Lines
from tui.widgets.spark import spark
from tui.widgets.strips import EventStrip, NoticeLines

if TYPE_CHECKING:
    from state.events import Notice

BOOT_NOTICE = "boot"
"""The engine's key for: nothing would start it after a reboot. The jobs pane says it, where it matters."""


class Overview(DeckScreen):
    """Four panes and the runs; one of them can have the whole screen."""

    BINDINGS = actions.bindings("overview")
    CONTEXTS = ("overview",)

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.header = Header(palette, id="header")
        self.notices = NoticeLines(palette, id="notices")
        self.events = EventStrip(palette, id="events")
        self.burn = Lines(palette, id="burn")
        self.panes: dict[str, AnyPane] = {
            pane.CONTEXT: pane
            for pane in (
                SessionsPane(palette),
                JobsPane(palette),
                BudgetsPane(palette),
                SkillsPane(palette),
                RunsPane(palette),
            )
        }
        self.zoomed: str | None = None
        self._host = clean(socket.gethostname(), 24)
        self._engine = EngineStatus("none")
        self._spend: Spend | None = None
        self._day: Any = None
        self._asked = self._held = 0
        """Questions and skills that wait for the operator's word."""
        self._zone: tzinfo | None = None
        self._own: dict[str, Notice] = {}
        self._stored: tuple[Notice, ...] = ()

    def compose_body(self) -> ComposeResult:
        yield self.header
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self.panes["sessions"]
                yield self.panes["jobs"]
                yield self.panes["runs"]
            with Vertical(id="right"):
                yield self.panes["budgets"]
                yield self.panes["skills"]
                yield self.burn
        yield self.notices
        yield self.events

    def on_mount(self) -> None:
        self.panes["sessions"].table.focus()

    def on_resize(self) -> None:
        self._draw_header()
        self._draw_burn()

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.SessionsChanged():
                self.pane(SessionsPane).take(change.board)
            case changes.JobsChanged():
                self.panes["jobs"].show(change.rows)
            case changes.BudgetsChanged():
                days = (row for row in change.board.rows if (row.window, row.unit) == ("day", "tokens"))
                self._day = max(days, key=lambda row: row.most, default=None)
                self.pane(BudgetsPane).take(change.board)
                self._draw_header()
            case changes.SkillsChanged():
                self.pane(SkillsPane).take(change.board)
                self._held = len(change.board.held)
                self._draw_header()
            case changes.InboxChanged():
                self._asked = len(change.rows)
                self._draw_header()
            case changes.RunsChanged():
                self.panes["runs"].show(change.rows)
            case changes.EventsChanged():
                self.events.take(change.rows, self._zone)
            case changes.NoticesChanged():
                self._stored = tuple(notice for notice in change.rows if notice.key != BOOT_NOTICE)
                self.pane(JobsPane).outlives_boot = len(self._stored) == len(change.rows)
                self._draw_notices()
            case changes.HeaderChanged():
                self._engine = change.engine
                self._draw_header()
            case changes.SpendChanged():
                self._spend = change.spend
                self._draw_header()
                self._draw_burn()
            case changes.ConfigChanged():
                self._zone = self.pane(JobsPane).zone = self.pane(BudgetsPane).zone = change.zone
            case changes.StateUnreadable():
                self.notice("state", change.line)
            case _:
                pass
        self.refresh_bindings()

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        for pane in self.panes.values():
            pane.tick(now_ms)
        self.events.tick(now_ms)
        self._draw_header()

    def notice(self, key: str, line: str, level: str = "error") -> None:
        """Keep a notice of our own beside the engine's; an empty line takes it away."""
        from state.events import Notice

        self._own.pop(key, None)
        if line:
            self._own[key] = Notice(key=key, level=level, text=line, at_ms=self.now_ms)
        self._draw_notices()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self.events.flash(line, tone, self.now_ms)

    def pane(self, kind: "type[Any]") -> Any:
        """The pane of this type."""
        return self.panes[kind.CONTEXT]

    @property
    def focused_pane(self) -> AnyPane:
        """The pane that the keyboard is in."""
        above = self.focused.ancestors if self.focused is not None else []
        return next((pane for pane in self.panes.values() if pane in above), self.panes["sessions"])

    def go_to(self, name: str, zoom: bool = False) -> None:
        """Put the keyboard into a pane; the runs always have the whole screen."""
        zoom = zoom or name == "runs" or self.zoomed is not None
        self.zoom(name if zoom else None)
        self.set_focus(self.panes[name].table)

    def zoom(self, name: str | None) -> None:
        """Give a pane the whole screen, or put everything back."""
        self.zoomed = name
        self.set_class(name is not None, "-zoom")
        for pane in self.panes.values():
            pane.set_class(name == pane.CONTEXT, "-zoomed")
        for column in ("#left", "#right"):
            holder = self.query_one(column)
            holder.set_class(bool(holder.query(".-zoomed")), "-holds")
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "back":
            return self.zoomed is not None or self.focused_pane.filtering
        return super().check_action(action, parameters)

    def action_pane(self, name: str) -> None:
        again = name == self.focused_pane.CONTEXT
        if again and self.zoomed == name:
            self.action_zoom()
        else:
            self.go_to(name, zoom=again)

    def action_zoom(self) -> None:
        pane = self.focused_pane
        if self.zoomed is None:
            self.zoom(pane.CONTEXT)
        else:
            self.zoom(None)
            if pane.CONTEXT == "runs":
                self.set_focus(self.panes["sessions"].table)

    async def action_back(self) -> None:
        if not await self.focused_pane.close_filter() and self.zoomed is not None:
            self.action_zoom()

    def action_next_pane(self) -> None:
        self._step(1)

    def action_previous_pane(self) -> None:
        self._step(-1)

    async def action_spawn(self) -> None:
        await ask(self.app, SpawnAsked())

    async def action_inbox(self) -> None:
        await ask(self.app, InboxAsked())

    def action_undo(self) -> None:
        self.post_message(UndoAsked())

    def _step(self, by: int) -> None:
        if self.focused_pane.step_inside(by):
            return
        names = [name for name in self.panes if self.zoomed is not None or name != "runs"]
        here = names.index(self.focused_pane.CONTEXT)
        self.go_to(names[(here + by) % len(names)])

    def _draw_header(self) -> None:
        width, needs = self.size.width, self._asked + self._held
        self.header.show([header_line(self._host, self._engine, self._spend, self._day, self.now_ms, width, needs)])

    def _draw_burn(self) -> None:
        if self._spend is None:
            return
        width = max(0, self.burn.size.width - 1)
        line = spark(self._spend.minutes, width)
        title: Cell = (
            ("tok/min", "head"),
            (", last hour   ", "dim"),
            (tokens(self._spend.burn), "text"),
            (" now   ", "dim"),
            (tokens(max(self._spend.minutes, default=0)), "text"),
            (" at most", "dim"),
        )
        self.burn.show([title, ((line, "accent"),)])

    def _draw_notices(self) -> None:
        self.notices.take([*self._own.values(), *self._stored])
