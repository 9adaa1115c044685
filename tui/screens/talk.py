"""What do the operator and an agent say to each other? The last runs of a session, and a line for the next one."""

from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Input

from engine.contract.orders import RunRequest
from engine.contract.verdict import WAITING_WORDS
from tui import actions, changes
from tui.listener import Listener, RunTold
from tui.messages import VerdictCame
from tui.panes.messages import InterruptAsked, StopAsked
from tui.reading import Gone
from tui.screens.question import decision
from tui.screens.question_panel import QuestionPanel
from tui.screens.screen import DeckScreen
from tui.screens.talk_lines import live_words, preview_words, task_lines, title_line, turn_lines
from tui.talks import Talk, request, talk
from tui.theme import Palette, Tone
from tui.transcript import INDENT
from tui.widgets.cells import Cell
from tui.widgets.flash import Flash
from tui.widgets.line_input import LineInput
from tui.widgets.lines import Lines, Page, Wrapped

_HINT = "say something; enter sends it"
_LEAST_WIDTH = 40
_AROUND = 6
"""Lines of the screen that neither what was said nor a question has."""
_SAID_LEAST = 3
"""Lines of what was said that stay in sight beside a question."""
DEBOUNCE_S = 0.3


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
        self.question = QuestionPanel(palette)
        self._said = Flash(palette)
        self._wrapped = Wrapped()
        self._listener: Listener | None = None
        self._told: dict[int, RunTold] = {}
        """By run, of those that were live while this was open."""
        self._sent: tuple[int, str] | None = None
        """What was said and is no run yet, after which run."""
        self._interrupted: int | None = None
        """The run that was asked to leave its turn."""
        self._timer: Timer | None = None
        self._preview: VerdictCame | None = None
        """What sending a line would come to, as it was typed last."""

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self.page
        yield self.question
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
        self._draw_question()
        self.refresh_bindings()

    def on_key(self, event: events.Key) -> None:
        """A question, else what was said, can be scrolled without leaving the line."""
        if event.key in ("pageup", "pagedown"):
            page = self.question.page if self._asks else self.page
            page.action_page(-1 if event.key == "pageup" else 1)

    def on_input_changed(self, event: Input.Changed) -> None:
        """What it would come to is asked once the typing has paused."""
        event.stop()
        self._said.clear()
        self._end_timer()
        if self.line.value.strip():
            self._timer = self.set_timer(DEBOUNCE_S, self._ask_preview)
        self._draw_standing()

    def take_verdict(self, message: VerdictCame) -> None:
        self._preview = message
        self._draw_standing()

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(Talk() as found) if found.session.id == self.session_id:
                self._take(found)
            case changes.DetailChanged(Gone(line)):
                self._said.stand(((line, "warn"),))
            case _:
                pass

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self._draw_title()
        self._draw_question()
        self._draw_standing()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.flash(line, tone)

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
        self._end_timer()
        self.line.value = ""
        self.flash("")
        self.deck.link.order("run", request(self.talk, text), self._asked, self._failed)
        self._draw()
        self.page.action_end(1)

    def action_other(self) -> None:
        """From the line to what is asked, to what was said, and back."""
        if self.line.has_focus:
            self.set_focus(self.question.page if self._asks else self.page)
        else:
            self.set_focus(self.page if self.question.page.has_focus else self.line)

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
        if action in ("approve", "deny") and not (self._asks and not self.line.has_focus):
            return False
        if (action == "stop" and self._open is None) or (action == "say" and not self.line.has_focus):
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
        self.talk = found
        if self._sent is not None and any(turn.run.id > self._sent[0] for turn in found.turns):
            self._sent = None
        live = found.open
        self._listen(live.id if live is not None and live.live else None)
        if not found.asks and self.question.page.has_focus:
            self.set_focus(self.line)
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
            self._listener = Listener(self.deck.home, run_id, self)

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
        self._draw_question()
        self._draw_standing()
        self.page.show(self._wrapped.take(self._lines(self.talk), self._width, len(INDENT)), follow=True)

    @property
    def _width(self) -> int:
        return max(_LEAST_WIDTH, self.size.width - 2)

    def _draw_title(self) -> None:
        if self.talk is not None:
            self._title.show([title_line(self.talk, self.now_ms, self._width)])

    def _draw_question(self) -> None:
        room = self.size.height - _AROUND - _SAID_LEAST
        self.question.take(self._asks, self._width, room, self.now_ms, self.deck.zone)

    def _draw_standing(self) -> None:
        """While it answers: for how long, and what it has used. While a line is typed: what it would come to."""
        run, said = self._open, self._preview
        if self.talk is None:
            return
        if run is not None:
            self._said.stand(live_words(run, self._told.get(run.id), self.now_ms))
        elif said is None or self._request() != said.request:
            self._said.stand(())
        elif said.verdict is None:
            self._said.stand(((said.line, "warn"),))
        else:
            self._said.stand(preview_words(said.verdict))

    def _request(self) -> RunRequest | None:
        """What the line says, as it would be asked for."""
        text = self.line.value.strip()
        return request(self.talk, text) if text and self.talk is not None else None

    def _ask_preview(self) -> None:
        app: Any = self.app
        wanted = self._request()
        if wanted is not None and self._open is None and app.can_order:
            self.deck.link.preview(wanted)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _lines(self, found: Talk) -> list[Cell]:
        lines = [line for turn in found.turns for line in turn_lines(turn, self._told.get(turn.run.id))]
        if self._sent is not None:
            lines += [*task_lines(tuple(self._sent[1].split("\n"))), (("  ", "text"), ("is judged", "dim"))]
        return lines or [(("Nothing was said here yet.", "dim"),)]
