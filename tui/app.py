"""The console: wires the feed, the link to the engine and the screens together, and acts on what they ask for."""

import asyncio
import contextlib
import os
import signal
import time
from datetime import tzinfo
from typing import Any

from textual import events
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import ModalScreen

from engine.contract.orders import FireJob, Nothing
from engine.contract.verdict import WAITING_WORDS
from state.home import Home
from tui import actions, changes, messages
from tui.changes import Change
from tui.clean import Guard
from tui.feed import Feed
from tui.link import Link
from tui.opening import Opening
from tui.panes import messages as asked
from tui.panes.skills import SkillsPane
from tui.screens.overview import Overview
from tui.screens.screen import DeckScreen
from tui.theme import PALETTES, THEMES, Palette, Tone, theme_for

TICK_S = 1.0
"""The one UI clock."""
TAKEN_S = 1.0
"""How long a key waits for the letters before it."""


class Console(Opening):
    """The app. It only wires: panes ask by messages, the feed tells by messages, orders go through the link."""

    TITLE = "quarterdeck"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = actions.bindings("app")
    CSS_PATH = "screens/overview.tcss"
    """Named here: the style sheet of the first screen is not looked at by itself."""
    CSS = """
    * { scrollbar-size: 0 0; }
    """

    def __init__(self, home: Home, theme: str | None = None) -> None:
        """`theme` is chosen by what the terminal says of itself, unless it is given."""
        self._guard = Guard()
        super().__init__()
        self.animation_level = "none"
        for known in THEMES:
            self.register_theme(known)
        self.theme = theme or theme_for(os.environ)
        self.home = home
        self.feed = Feed(home, self.post_message)
        self.link = Link(home, self.post_message)
        self.can_order = True
        self.waiting: list[Message] = []
        self.latest: dict[type[Change], Change] = {}
        self.zone: tzinfo | None = None
        self.config: Any = None
        self.history: list[str] = []
        self.palette: Palette = PALETTES[self.theme]
        self.overview = Overview(self.palette)

    def get_default_screen(self) -> Overview:
        """The overview itself, so that no empty screen is painted before it."""
        return self.overview

    def get_line_filters(self) -> list[LineFilter]:
        """Textual's own filters, after the guard that keeps escapes off the wire."""
        return [self._guard, *super().get_line_filters()]

    def on_mount(self) -> None:
        for number in (signal.SIGHUP, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.exit, 0)
        self._tick()
        self.set_interval(TICK_S, self._tick)
        self.call_after_refresh(self._start)

    def on_unmount(self) -> None:
        self.feed.stop()
        self.link.leave()

    def flash(self, line: str, tone: Tone = "text") -> None:
        """One line about what became of the last key, on whichever screen is up."""
        self.overview.flash(line, tone)
        show = getattr(self.screen, "flash", None)
        if show is not None and self.screen is not self.overview:
            show(line, tone)

    def tell(self, line: str, tone: Tone = "text") -> None:
        """One line on the overview, whatever is in front of it."""
        self.overview.flash(line, tone)

    def flash_beside(self, line: str) -> None:
        """The same for what the engine notes as an event: the overview shows that by itself."""
        if self.screen is not self.overview:
            self.flash(line)

    def show_again(self, screen: DeckScreen) -> None:
        """Tell a screen that has just come up what is known already."""
        screen.tick(_now_ms())
        for change in self.latest.values():
            screen.take(change)

    @property
    def typing(self) -> bool:
        """Whether letters go into a line now."""
        return self.focused is not None and self.focused.check_consume_key("a", "a")

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not event.is_forwarded and self.typing:
            await self._letters_taken()
        await super().on_event(event)

    async def _letters_taken(self) -> None:
        """Keys of actions that come first are acted on here, while letters wait for their line to take them: over a
        slow link several come at once, and tab must not overtake what was typed before it."""
        taken = asyncio.Event()
        if self.focused is not None and self.focused.call_later(taken.set):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(taken.wait(), TAKEN_S)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("prompt", "help") and isinstance(self.screen, ModalScreen):
            return False
        return actions.permit(self, ("app",), action)

    def action_leave(self) -> None:
        self.exit(0)

    def on_event_of_feed(self, change: Change) -> None:
        self.latest[type(change)] = change
        for screen in self.screen_stack:
            if isinstance(screen, DeckScreen):
                screen.take(change)

    on_sessions_changed = on_jobs_changed = on_budgets_changed = on_skills_changed = on_event_of_feed
    on_runs_changed = on_events_changed = on_notices_changed = on_spend_changed = on_event_of_feed
    on_inbox_changed = on_event_of_feed
    on_state_unreadable = on_detail_changed = on_event_of_feed

    def on_header_changed(self, change: changes.HeaderChanged) -> None:
        self.on_event_of_feed(change)
        self.link.look()

    def on_config_changed(self, change: changes.ConfigChanged) -> None:
        self.config, self.zone = change.config, change.zone
        self.on_event_of_feed(change)
        while self.waiting:
            self.post_message(self.waiting.pop(0))

    def on_engine_came(self) -> None:
        self._set_can_order(True)
        self.overview.notice("engine", "")
        for screen in self.screen_stack:
            if isinstance(screen, DeckScreen):
                screen.engine_came()

    def on_engine_gone(self) -> None:
        self.overview.notice("engine", "the engine died; starting another")

    def on_engine_failed(self, message: messages.EngineFailed) -> None:
        self._set_can_order(False)
        self.overview.notice("engine", f"no engine, so this console can only look; trying again: {message.line}")

    def on_order_answered(self, message: messages.OrderAnswered) -> None:
        if message.done is not None:
            message.done(message.answer)

    def on_order_failed(self, message: messages.OrderFailed) -> None:
        self.flash(message.line, "bad")
        if message.failed is not None:
            message.failed(message.line)

    def on_asked_once(self, message: changes.AskedOnce) -> None:
        message.done(message.value)

    def on_verdict_came(self, message: messages.VerdictCame) -> None:
        for screen in self.screen_stack:
            take = getattr(screen, "take_verdict", None)
            if take is not None:
                take(message)

    def on_skill_choice_asked(self, _: asked.SkillChoiceAsked) -> None:
        self.overview.zoom("skills")
        self.overview.pane(SkillsPane).choose_held()
        self.flash("several skills are held: put the cursor on one, then press c")

    def on_undo_asked(self) -> None:
        self.link.order("undo", Nothing(), lambda answer: self.flash_beside(_undone(answer)))

    def on_looked_at_only(self, message: asked.LookedAtOnly) -> None:
        self.flash(message.line, "warn")

    def on_job_fired(self, message: asked.JobFired) -> None:
        self.link.order("fire", FireJob(job=message.job), lambda answer: self.flash(_fired(message.job, answer)))

    def on_job_paused(self, message: asked.JobPaused) -> None:
        said = f"{message.job} {'goes on' if message.enabled else 'is paused'}"
        self.link.put_entry("job", message.job, {"enabled": message.enabled}, lambda _: self.flash(said))

    def _start(self) -> None:
        """After the first paint: now there is time for what takes time."""
        self.feed.start()
        self.link.attach()

    def _tick(self) -> None:
        now_ms = _now_ms()
        for screen in self.screen_stack:
            if isinstance(screen, DeckScreen):
                screen.tick(now_ms)
        known = self.latest.get(changes.HeaderChanged)
        if isinstance(known, changes.HeaderChanged) and known.engine.state == "none":
            self.link.look()

    def _set_can_order(self, can: bool) -> None:
        self.can_order = can
        self.screen.refresh_bindings()


def run_console(home: Home) -> int:
    """Show the console until the operator leaves; returns the exit code. The terminal has been checked."""
    return Console(home).run() or 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _undone(answer: Any) -> str:
    said = answer.get("undone") if isinstance(answer, dict) else None
    return f"undone: {said}" if said else "undone"


def _fired(job: str, answer: Any) -> str:
    verdict = answer.get("verdict") if isinstance(answer, dict) else None
    if verdict and (waits := answer.get("waits_for")):
        return f"{job} waits for {WAITING_WORDS[waits]}: run {answer['run']}"
    if verdict and not verdict.get("ok", True):
        failed = "; ".join(check["why"] for check in verdict["checks"] if not check["ok"])
        return f"{job} was refused: {failed}"
    return f"{job} runs now: run {answer.get('run')}" if isinstance(answer, dict) else f"{job} runs now"
