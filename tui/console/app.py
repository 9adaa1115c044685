"""The console: wires the feed, the link to the engine and the screens together, and acts on what they ask for."""

import os
import time
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from textual import events
from textual.binding import Binding
from textual.dom import DOMNode
from textual.message import Message
from textual.messages import ExitApp
from textual.screen import ModalScreen, Screen

from engine.contract.orders import FireJob
from engine.contract.verdict import WAITING_WORDS
from state.home import Home
from tui import actions, messages
from tui.clean import clean
from tui.console.attending import Attending
from tui.console.hands import Hands
from tui.console.keyed import TICK_S, Keyed, say_rate
from tui.console.looking import LookingLink
from tui.console.opening import Opening
from tui.console.painting import AtTerminal
from tui.console.taking_back import TakingBack
from tui.console.typed import ALONE, ON_A_ROW, WRITING, InOrder, letters_taken
from tui.link import Link
from tui.options import Flags, Options, declared_in, here, options
from tui.panes import messages as asked
from tui.panes.skills import SkillsPane
from tui.places.history import History
from tui.reading import changes
from tui.reading.changes import Change
from tui.reading.feed import Feed
from tui.reading.journal import UndoChanged
from tui.screens.overview import Overview
from tui.screens.screen import DeckScreen
from tui.terminal.narrow import Painted
from tui.theme import Tone
from tui.widgets.table import Table


class Console(AtTerminal, Opening, Hands, Keyed):
    """The app. It only wires: panes ask by messages, the feed tells by messages, orders go through the link."""

    TITLE = "quarterdeck"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = actions.bindings("app")
    CSS_PATH = Path(__file__).parents[1] / "screens/overview.tcss"
    """Named here: the style sheet of the first screen is not looked at by itself."""
    CSS = """
    * { scrollbar-size: 0 0; }
    Input:nocolor > .input--selection { text-style: underline; }
    """

    def __init__(self, home: Home, theme: str | None = None, said: Options | None = None) -> None:
        """`said` is how it is to be; without it, as everything says that was not typed, in this theme."""
        said = said or options(Flags(theme=theme), os.environ, declared_in(home))
        super().__init__(said, home.config)
        self.home = home
        self.feed = Feed(home, self.post_message, said.refresh_s)
        self.link = (LookingLink if said.read_only else Link)(home, self.post_message)
        self.attending = Attending(self)
        self.in_order = InOrder(self)
        self.taking_back = TakingBack(self)
        self._painted = Painted()
        self.can_order = True
        self.waiting: list[Message] = []
        self.drafts: dict[str, dict[str, str]] = {}
        self.latest: dict[type[Change], Change] = {}
        self.zone: tzinfo | None = None
        self.config: Any = None
        self.history = History(home, writes=not said.read_only)
        self.refresh_s = said.refresh_s
        self.overview = Overview(self.palette)
        self.overview.mark = ", ".join(self.marks())

    def get_default_screen(self) -> Overview:
        """The overview itself, so that no empty screen is painted before it."""
        return self.overview

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """What shows beneath: of a screen of ours, nothing. Textual would paint it again wherever the one below
        changes."""
        stack = self.screen_stack
        return super()._background_screens if stack and isinstance(stack[-1], ModalScreen) else []

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        taken = getattr(self._driver, "out", None)
        super()._display(screen, self._painted.narrowed(renderable, taken, isinstance(screen, ModalScreen)))

    def marks(self) -> list[str]:
        """In a word or two each: how this console differs from others."""
        said = self.options
        rate = [f"every {say_rate(self.refresh_s)}"] if self.refresh_s != said.refresh_s else []
        return [
            *(["read-only"] if said.read_only else []),
            *(["low bandwidth"] if said.low_bandwidth else []),
            *rate,
        ]

    def show_marks(self) -> None:
        self.overview.say_mark(", ".join(self.marks()))

    def keymap_problems(self, lines: tuple[str, ...]) -> None:
        more = f"keymap: {len(lines) - 1} more entries do not hold: qd doctor"
        for number, line in enumerate((*lines[:2], "", "")[:2]):
            self.overview.notice(f"keymap {number}", more if number and len(lines) > 2 else line, "warning")

    def wind(self) -> None:
        self.clock.stop()
        self.clock = self.set_interval(max(TICK_S, self.refresh_s), self._tick)

    def theme_problem(self, line: str) -> None:
        self.overview.notice("theme", line, "warning")

    def on_mount(self) -> None:
        self._tick()
        self.clock = self.set_interval(max(TICK_S, self.refresh_s), self._tick)
        self.use_keys(self.options.console)
        self.theme_problem(self._wardrobe.look.problem)
        self.call_after_refresh(self._start)
        self.attending.start()

    def on_unmount(self) -> None:
        self.attending.leave()
        self.feed.stop()
        self.link.leave()

    def flash(self, line: str, tone: Tone = "text") -> None:
        """One line about what became of the last key, on whichever screen is up."""
        line = clean(line)
        self.overview.flash(line, tone)
        show = getattr(self.screen, "flash", None)
        if show is not None and self.screen is not self.overview:
            show(line, tone)

    def tell(self, line: str, tone: Tone = "text") -> None:
        """One line on the overview, whatever is in front of it."""
        self.overview.flash(line, tone)

    def show_again(self, screen: DeckScreen) -> None:
        """Tell a screen that has just come up what is known already."""
        screen.tick(_now_ms())
        for change in self.latest.values():
            screen.take(change)

    @property
    def typing(self) -> bool:
        """Whether letters go into a line now."""
        return self.focused is not None and self.focused.check_consume_key("a", "a")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("prompt", "help") and isinstance(self.screen, ModalScreen):
            return False
        return actions.permit(self, ("app",), action)

    async def _on_message(self, message: Message) -> None:
        """Textual's, for whatever comes. What comes when the screens have been closed is told to nobody."""
        if self.screen_stack or isinstance(message, events.Event | ExitApp):
            await super()._on_message(message)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self.attending.heard()
            self.feed.stir()
            if not event.is_forwarded:
                if not self.is_late(event.key):
                    await self._take_key(event)
                return
        elif isinstance(event, events.Resize):
            self._painted.forget()
        await super().on_event(event)

    async def _take_key(self, pressed: events.Key) -> None:
        """A key that nobody has seen yet."""
        if self.in_order.holds(pressed) or (event := self.chorded(pressed, self.typing)) is None:
            return
        if self.focused is not None and self.typing:
            await letters_taken(self.focused)
        else:
            self.explain(event.key)
        target, typing = self.focused or self.screen, self.typing
        await super().on_event(event)
        if event.is_forwarded:
            self.in_order.sent(event, target, typing)

    async def on_key_taken(self) -> None:
        await self.in_order.taken()

    async def run_action(
        self, action: Any, default_namespace: DOMNode | None = None, namespaces: Mapping[str, DOMNode] | None = None
    ) -> bool:
        if not self.seen and action in WRITING:
            self.flash("that key came before you could see on what: look, and press it again", "warn")
            return False
        if action in ON_A_ROW and isinstance(self.focused, Table) and self.focused.slipped():
            self.flash("another row has come under the cursor: look, and press that key again", "warn")
            return False
        if self.in_order.in_one_go and action in ALONE:
            self.flash("that key came in one go with others, as if it were pasted; press it by itself", "warn")
            return False
        return await super().run_action(action, default_namespace, namespaces)

    def action_leave(self) -> None:
        self.exit(0)

    def on_event_of_feed(self, change: Change) -> None:
        self.latest[type(change)] = change
        self.attending.take(change)
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
        self.use_keys(change.config.console)
        self.on_event_of_feed(change)
        while self.waiting:
            self.post_message(self.waiting.pop(0))

    def on_engine_came(self) -> None:
        self._set_can_order(True)
        self.attending.engine_came()
        self.overview.notice("engine", "")
        for screen in self.screen_stack:
            if isinstance(screen, DeckScreen):
                screen.engine_came()

    def on_engine_gone(self, message: messages.EngineGone) -> None:
        self.attending.take(message)
        self.overview.notice("engine", "the engine died; starting another")

    def on_engine_failed(self, message: messages.EngineFailed) -> None:
        self._set_can_order(False)
        self.overview.notice("engine", f"no engine: {message.line} (it is tried again; meanwhile one can only look)")

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
        self.flash(self.keymap.told("several skills are held: put the cursor on one, then {skill.look}"))

    def on_undo_changed(self, change: UndoChanged) -> None:
        self.taking_back.take(change.acts)
        self.screen.refresh_bindings()

    @property
    def undoable(self) -> bool:
        """Whether there is an act to take back."""
        return bool(self.taking_back.label)

    def label_of(self, binding: Binding) -> str:
        """What the footer says of a key."""
        return self.taking_back.label if binding.action == "undo" else binding.description

    def action_undo(self) -> None:
        self.taking_back.ask()

    def on_looked_at_only(self, message: asked.LookedAtOnly) -> None:
        self.flash(message.line, "warn")

    def on_job_fired(self, message: asked.JobFired) -> None:
        """The order says which runs were to be seen here: the same key in another console may have been faster."""
        known = self.latest.get(changes.RunsChanged)
        seen = max((run.id for run in known.rows), default=0) if isinstance(known, changes.RunsChanged) else None
        wanted = FireJob(job=message.job, seen_run_id=seen)
        self.link.order("fire", wanted, lambda answer: self.flash(_fired(message.job, answer)))

    def on_job_paused(self, message: asked.JobPaused) -> None:
        said = f"{message.job} {'goes on' if message.enabled else 'is paused'}"
        self.link.put_entry("job", message.job, {"enabled": message.enabled}, lambda _: self.flash(said))

    def _start(self) -> None:
        """After the first paint: now there is time for what takes time."""
        self.feed.start()
        self.link.attach()

    def _tick(self) -> None:
        self.look_at_terminal()
        now_ms = _now_ms()
        for screen in self.screen_stack:
            if isinstance(screen, DeckScreen):
                screen.tick(now_ms)
        self.attending.tick(now_ms)
        known = self.latest.get(changes.HeaderChanged)
        if isinstance(known, changes.HeaderChanged) and known.engine.state == "none":
            self.link.look()

    def _set_can_order(self, can: bool) -> None:
        self.can_order = can
        self.overview.look_for_config()
        self.screen.refresh_bindings()


def run_console(home: Home, flags: Flags = Flags()) -> int:  # noqa: B008
    """Show the console until the operator leaves; returns the exit code. The terminal has been checked."""
    said = here(flags, home)
    console = Console(home, said=said)
    console.run(mouse=said.mouse)
    return console.return_code or 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _fired(job: str, answer: Any) -> str:
    verdict = answer.get("verdict") if isinstance(answer, dict) else None
    if verdict and (waits := answer.get("waits_for")):
        return f"{job} waits for {WAITING_WORDS[waits]}: run {answer['run']}"
    if verdict and not verdict.get("ok", True):
        failed = "; ".join(check["why"] for check in verdict["checks"] if not check["ok"])
        return f"{job} was refused: {failed}"
    return f"{job} runs now: run {answer.get('run')}" if isinstance(answer, dict) else f"{job} runs now"
