"""What do the operator and an agent say to each other? The last runs of a session, and a line for the next one."""

from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input

from engine.contract.verdict import WAITING_WORDS
from tui import actions, changes
from tui.listener import Listener, RunTold
from tui.panes.messages import InterruptAsked, StopAsked
from tui.panes.runs import outcome_words, took
from tui.reading import Gone
from tui.screens.question import decision, question_lines
from tui.screens.screen import DeckScreen
from tui.screens.sheet import check_line
from tui.talks import Talk, Turn, request, talk
from tui.theme import Palette, Tone
from tui.transcript import INDENT
from tui.widgets.cells import Cell, cut, line_width, wrap
from tui.widgets.line_input import LineInput
from tui.widgets.lines import Lines, Page, Wrapped

_HINT = "say something; enter sends it"
_LEAST_WIDTH = 40
_QUESTION_INDENT = 11


class TalkScreen(DeckScreen):
    """What was said above, the line below. The keyboard is in the line until tab takes it up."""

    DEFAULT_CSS = """
    TalkScreen { padding: 0 1; }
    TalkScreen > .-title { height: 2; }
    TalkScreen > .-said { height: 1; }
    TalkScreen > Horizontal { height: 2; border-top: solid $qd-line; }
    TalkScreen .-mark { width: 2; }
    TalkScreen LineInput, TalkScreen LineInput:focus { width: 1fr; background: $background; }
    """
    BINDINGS = actions.bindings("talk")
    CONTEXTS = ("talk",)

    def __init__(self, palette: Palette, session_id: int) -> None:
        super().__init__(palette)
        self.session_id = session_id
        self.talk: Talk | None = None
        self.page = Page(palette)
        self.line = LineInput(hint=_HINT)
        self._title = Lines(palette, classes="-title")
        self._said = Lines(palette, classes="-said")
        self._wrapped = Wrapped()
        self._listener: Listener | None = None
        self._told: dict[int, RunTold] = {}
        """By run, of those that were live while this was open."""
        self._sent: tuple[int, str] | None = None
        """What was said and is no run yet, after which run."""
        self._interrupted: int | None = None
        """The run that was asked to leave its turn."""

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self.page
        yield self._said
        with Horizontal():
            yield Lines(self.palette, [(("> ", "accent"),)], classes="-mark")
            yield self.line

    def on_mount(self) -> None:
        self.set_focus(self.line)

    def on_unmount(self) -> None:
        self._listen(None)

    def on_screen_resume(self) -> None:
        self.deck.feed.watch(talk(self.session_id))

    def on_resize(self) -> None:
        self._draw()

    def on_descendant_focus(self) -> None:
        self.refresh_bindings()

    def on_key(self, event: events.Key) -> None:
        """What was said can be scrolled without leaving the line."""
        if event.key in ("pageup", "pagedown"):
            self.page.action_page(-1 if event.key == "pageup" else 1)

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(Talk() as found) if found.session.id == self.session_id:
                self._take(found)
            case changes.DetailChanged(Gone(line)):
                self.flash(line, "warn")
            case _:
                pass

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self._draw_title()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.show([((line, tone),)])

    def on_run_told(self, message: RunTold) -> None:
        self._told[message.run_id] = message
        self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_say()

    def action_say(self) -> None:
        text = self.line.value.strip()
        app: Any = self.app
        if not text or self.talk is None or not app.can_order:
            return
        if self.talk.open is not None or self._sent is not None:
            self.flash("it has not answered yet: esc has it leave its turn", "warn")
            return
        last = max((turn.run.id for turn in self.talk.turns), default=0)
        self._sent = (last, text)
        self.line.value = ""
        self.flash("")
        self.deck.link.order("run", request(self.talk, text), self._asked, self._failed)
        self._draw()
        self.page.action_end(1)

    def action_other(self) -> None:
        self.set_focus(self.page if self.line.has_focus else self.line)

    def action_approve(self) -> None:
        self._decide(approve=True)

    def action_deny(self) -> None:
        self._decide(approve=False)

    def action_stop(self) -> None:
        if run := self._open:
            self.post_message(StopAsked(run.id, waits=not run.live))

    def action_back(self) -> None:
        """A live run is first asked to leave its turn."""
        run = self._open
        if run is not None and run.live and self._interrupted != run.id:
            self._interrupted = run.id
            self.post_message(InterruptAsked(run.id))
            return
        self.deck.feed.unwatch()
        self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("approve", "deny") and not (self.page.has_focus and self._asks):
            return False
        if action == "stop" and self._open is None:
            return False
        return super().check_action(action, parameters)

    @property
    def _open(self) -> Any:
        return self.talk.open if self.talk is not None else None

    @property
    def _asks(self) -> tuple[Any, ...]:
        return self.talk.asks if self.talk is not None else ()

    def _decide(self, *, approve: bool) -> None:
        if self._asks:
            self.post_message(decision(self._asks[0], approve, self.deck.zone))

    def _take(self, found: Talk) -> None:
        asked = bool(found.asks) and (self.talk is None or found.asks != self.talk.asks)
        self.talk = found
        if self._sent is not None and any(turn.run.id > self._sent[0] for turn in found.turns):
            self._sent = None
        live = found.open
        self._listen(live.id if live is not None and live.live else None)
        if asked:
            self.flash("it asks: tab, then y allows it or n denies it", "warn")
        self._draw()
        self.refresh_bindings()

    def _listen(self, run_id: int | None) -> None:
        """To this run from now on. One that has ended is heard to its end by the listener itself."""
        if run_id is None and self.is_attached and self._listener is not None and self.talk is not None:
            return
        if self._listener is not None and self._listener.run_id != run_id:
            self._listener.stop()
            self._listener = None
        if run_id is not None and self._listener is None:
            self._listener = Listener(self.app.home, run_id, self.post_message)  # type: ignore[attr-defined]

    def _asked(self, answer: Any) -> None:
        checks = answer["verdict"]["checks"] if isinstance(answer, dict) else []
        failed = [check["why"] for check in checks if not check["ok"]]
        warned = [check["warning"] for check in checks if check["ok"] and check.get("warning")]
        if waits := answer.get("waits_for") if isinstance(answer, dict) else None:
            self.flash(f"it waits for {WAITING_WORDS[waits]}: {'; '.join(failed)}", "warn")
        elif failed:
            self.flash(f"refused: {'; '.join(failed)}", "bad")
        elif warned:
            self.flash("; ".join(warned), "warn")

    def _failed(self, _: str) -> None:
        """Nothing was asked for: what was typed is there again."""
        if self._sent is not None and not self.line.value:
            self.line.value = self._sent[1]
            self.line.cursor_position = len(self.line.value)
        self._sent = None
        self._draw()

    def _draw(self) -> None:
        if self.talk is None or not self.is_attached:
            return
        self._draw_title()
        width = max(_LEAST_WIDTH, self.size.width - 2)
        self.page.show(self._wrapped.take(self._lines(self.talk, width), width, len(INDENT)), follow=True)

    def _draw_title(self) -> None:
        if self.talk is not None:
            self._title.show([title_line(self.talk, self.now_ms, max(_LEAST_WIDTH, self.size.width - 2))])

    def _lines(self, found: Talk, width: int) -> list[Cell]:
        lines = [line for turn in found.turns for line in turn_lines(turn, self._told.get(turn.run.id))]
        if self._sent is not None:
            lines += [*_task_lines(tuple(self._sent[1].split("\n"))), (("  ", "text"), ("is judged", "dim"))]
        for one in found.asks:
            asked = question_lines(one, self.now_ms, self.deck.zone)
            lines += [(("it asks", "warn"),), *(part for line in asked for part in wrap(line, width, _QUESTION_INDENT))]
        return lines or [(("Nothing was said here yet.", "dim"),)]


def title_line(found: Talk, now_ms: int, width: int) -> Cell:
    """Whose session it is, and what its last run does."""
    session, last = found.session, found.turns[-1].run if found.turns else None
    before: Cell = ((f"{session.agent or session.source} ", "accent"), ("> ", "dim"))
    after: Cell = ()
    if last is not None:
        said, tone = outcome_words(last)
        length = took(last, now_ms)
        words = f"{said}{'' if length in ('-', 'now') else f', {length}'}"
        after = (("   ", "dim"), (f"run {last.id} ", "dim"), (words, tone))
    title: Cell = ((session.title or session.job or f"session {session.id}", "bold"),)
    room = max(8, width - line_width(before) - line_width(after))
    return (*before, *(title if line_width(title) <= room else cut(title, room)), *after)


def turn_lines(turn: Turn, told: RunTold | None) -> list[Cell]:
    """What was asked, what was answered, and how that ended where it did not end well."""
    body: list[Cell] = list(told.lines) if told is not None and (told.said or turn.run.open) else []
    if not body or (told is not None and not told.said and turn.answer):
        body += [((INDENT, "text"), (line, "text")) for line in turn.answer]
    checks: list[Cell] = [((INDENT, "text"), *check_line(check)) for check in turn.checks]
    return [*_task_lines(turn.task), *checks, *body, *_ending(turn), ()]


def _task_lines(task: tuple[str, ...]) -> list[Cell]:
    return [((">" if number == 0 else " ", "accent"), (f" {line}", "bold")) for number, line in enumerate(task)]


def _ending(turn: Turn) -> list[Cell]:
    run = turn.run
    if run.live or run.outcome == "succeeded":
        return []
    said, tone = outcome_words(run)
    why = f": {run.why}" if run.why else ""
    return [((INDENT, "text"), (f"{said}{why}", tone))]
