"""The whole deck at a glance: sessions, jobs, budgets, skills, and what just happened."""

import socket
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui import actions
from tui.clean import clean
from tui.lists.fresh import Fresh
from tui.panes.budgets import BudgetsPane
from tui.panes.events import EventsPane
from tui.panes.jobs import JobsPane
from tui.panes.messages import GoneAsked, InboxAsked, SpawnAsked, UsageAsked, ask
from tui.panes.pane import AnyPane
from tui.panes.runs import RunsPane
from tui.panes.sessions import SessionsPane
from tui.panes.skills import SkillsPane
from tui.reading import changes
from tui.reading.event_log import EventLog
from tui.reading.views import EngineStatus, Spend
from tui.screens.burn import BurnLines
from tui.screens.header import DayLimits, Header, day_limits, header_figures, header_line
from tui.screens.offering import Offering
from tui.screens.sharing import heights
from tui.theme import Palette, Tone
from tui.widgets.strips import EventStrip, NoticeLines

if TYPE_CHECKING:
    from state.events import Notice
    from tui.reading.gone import GoneBy

BOOT_NOTICE = "boot"
"""The engine's key for: nothing would start it after a reboot. The jobs pane says it, where it matters."""
FULL_SIZE = ("runs", "events")
"""Panes that always have the whole screen."""


class Overview(Offering):
    """Four panes, the runs and the events; one of them can have the whole screen."""

    BINDINGS = actions.bindings("overview")
    CONTEXTS = ("overview",)

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.header = Header(palette, id="header")
        self.notices = NoticeLines(palette, id="notices")
        self.events = EventStrip(palette, id="strip")
        self.burn = BurnLines(palette, id="burn")
        self.panes: dict[str, AnyPane] = {
            pane.CONTEXT: pane
            for pane in (
                SessionsPane(palette),
                JobsPane(palette),
                BudgetsPane(palette),
                SkillsPane(palette),
                RunsPane(palette),
                EventsPane(palette),
            )
        }
        self.zoomed: str | None = None
        self.mark = ""
        """A word of the header about this console: that it is a demo."""
        self._host = clean(socket.gethostname(), 24)
        self._engine = EngineStatus("none")
        self._spend: Spend | None = None
        self._days = DayLimits()
        self._asked = self._held = 0
        """Questions and skills that wait for the operator's word."""
        self._zone: tzinfo | None = None
        self._own: dict[str, Notice] = {}
        self._stored: tuple[Notice, ...] = ()
        self._fresh = Fresh()
        self.gone: GoneBy | None = None
        """What happened while no console was open, until the operator has seen it."""
        self._gone_seen = False
        self._heights: dict[str, int] = {}
        """By id, in lines: how the panes share the screen."""

    def compose_body(self) -> ComposeResult:
        yield self.header
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self.panes["sessions"]
                yield self.panes["jobs"]
                yield self.panes["runs"]
                yield self.panes["events"]
            with Vertical(id="right"):
                yield self.panes["budgets"]
                yield self.panes["skills"]
                yield self.burn
        yield self.notices
        yield self.events

    def on_mount(self) -> None:
        self.panes["sessions"].table.focus()
        self.call_after_refresh(self.look_for_config)

    def on_screen_resume(self) -> None:
        """What another screen had read instead is not needed any more; the log of events may be again."""
        self._watch_events()

    def on_resize(self) -> None:
        self._draw_header()
        self._share()

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.SessionsChanged():
                self.pane(SessionsPane).take(change.board)
            case changes.JobsChanged():
                self.panes["jobs"].show(change.rows)
            case changes.BudgetsChanged():
                self._days = day_limits(change.board.rows)
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
                self._fresh.take(header_figures(change.spend))
                self._draw_header()
                self.burn.take(change.spend)
            case changes.ConfigChanged():
                self._zone = self.pane(JobsPane).zone = self.pane(BudgetsPane).zone = change.zone
                self.pane(EventsPane).zone = change.zone
                self.look_for_config()
            case changes.DetailChanged(EventLog() as log):
                self.pane(EventsPane).take(log)
            case changes.StateUnreadable():
                self.notice("state", change.line)
            case _:
                pass
        self._share()
        self.refresh_bindings()

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        for pane in self.panes.values():
            pane.tick(now_ms)
        self.events.tick(now_ms)
        self._fresh.age()
        self._draw_header()

    def notice(self, key: str, line: str, level: str = "error") -> None:
        """Keep a notice of our own beside the engine's; an empty line takes it away."""
        from state.events import Notice

        self._own.pop(key, None)
        if line:
            self._own[key] = Notice(key=key, level=level, text=line, at_ms=self.now_ms)
        self._draw_notices()

    def say_mark(self, mark: str) -> None:
        """The header says something else of this console now."""
        self.mark = mark
        self._draw_header()

    def tell_gone(self, told: "GoneBy") -> None:
        """What happened while no console was open: one line, until it has been looked at or dropped."""
        from tui.reading.gone import grave, line

        if self._gone_seen:
            return
        self.gone = told
        keys = (self.deck.keymap.named(name) for name in ("gone.open", "back"))
        self.notice("gone", line(told, *keys), "warning" if grave(told) else "info")
        self.refresh_bindings()

    def drop_gone(self) -> None:
        self.gone, self._gone_seen = None, True
        self.notice("gone", "")
        self.refresh_bindings()

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
        """Put the keyboard into a pane; the runs and the events always have the whole screen."""
        zoom = zoom or name in FULL_SIZE or self.zoomed is not None
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
        self._watch_events()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "back":
            return self.zoomed is not None or self.focused_pane.filtering or self.gone is not None
        if action == "gone" and self.gone is None:
            return False
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
            if pane.CONTEXT in FULL_SIZE:
                self.set_focus(self.panes["sessions"].table)

    async def action_back(self) -> None:
        if await self.focused_pane.close_filter():
            return
        if self.zoomed is not None:
            self.action_zoom()
        elif self.gone is not None:
            self.drop_gone()

    def action_next_pane(self) -> None:
        self._step(1)

    def action_previous_pane(self) -> None:
        self._step(-1)

    async def action_spawn(self) -> None:
        await ask(self.app, SpawnAsked())

    async def action_inbox(self) -> None:
        await ask(self.app, InboxAsked())

    async def action_usage(self) -> None:
        await ask(self.app, UsageAsked())

    async def action_gone(self) -> None:
        await ask(self.app, GoneAsked())

    def _step(self, by: int) -> None:
        if self.focused_pane.step_inside(by):
            return
        names = [name for name in self.panes if self.zoomed is not None or name not in FULL_SIZE]
        here = names.index(self.focused_pane.CONTEXT)
        self.go_to(names[(here + by) % len(names)])

    def _draw_header(self) -> None:
        width, needs = self.size.width, self._asked + self._held
        said = (self._host, self._engine, self._spend, self._days, self.now_ms, width, needs, self.mark)
        self.header.show([header_line(*said, fresh=self._fresh, zone=self._zone)])

    def _watch_events(self) -> None:
        """The log of all events is long: it is read only while it is shown."""
        if self.zoomed == "events":
            self.deck.feed.watch(self.pane(EventsPane).read)
        else:
            self.deck.feed.unwatch()

    def _draw_notices(self) -> None:
        self.notices.take([*self._own.values(), *self._stored])
        self._share()

    def _share(self) -> None:
        """Give each pane the lines that it needs; once each is known, so that they are laid out anew only once."""
        shown = {name: pane for name, pane in self.panes.items() if name not in FULL_SIZE}
        if not self.size.width or not all(pane.known for pane in shown.values()):
            return
        needs = {name: pane.need for name, pane in shown.items()}
        wide = self.size.width >= self.HORIZONTAL_BREAKPOINTS[-1][0]
        found = heights(needs, self.size.height, len(self.notices.lines), wide)
        for name, lines in found.items():
            if self._heights.get(name) != lines:
                self.query_one(f"#{name}").styles.height = f"{lines}fr"
        self._heights = found
