"""How does the operator speak in a session? A line, above it what is asked, and what sending would come to."""

from datetime import tzinfo
from typing import Any, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input

from engine.contract.orders import RunRequest
from engine.contract.verdict import WAITING_WORDS
from tui import actions
from tui.actions.keymap import Keymap
from tui.messages import VerdictCame
from tui.panes.messages import StopAsked
from tui.reading.asked import Asked
from tui.reading.talks import Talk, request
from tui.screens.question import decision
from tui.screens.question_panel import QuestionPanel
from tui.screens.talk_lines import live_words, preview_words
from tui.theme import Palette, Tone
from tui.widgets.flash import Flash
from tui.widgets.line_input import LineInput
from tui.widgets.lines import Lines

_HINT = "{session.type}: say something; {talk.say} sends it"
DEBOUNCE_S = 0.3


class TalkBar(Vertical):
    """A question, one line about what goes on, and the line to talk, which is not there where nobody can be told."""

    DEFAULT_CSS = """
    TalkBar { height: auto; }
    TalkBar > .-said { height: 1; }
    TalkBar > Horizontal { height: 2; border-top: solid $qd-line; }
    TalkBar.-deaf > Horizontal { display: none; }
    TalkBar .-mark { width: 2; }
    TalkBar LineInput, TalkBar LineInput:focus { width: 1fr; background: $background; }
    """
    BINDINGS = actions.bindings("talk")

    class Spoken(Message):
        """Something was said, or could not be."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self.question = QuestionPanel(palette)
        self.line = LineInput()
        self.sent: tuple[int, str] | None = None
        """What was said and is no run yet, after which run."""
        self._said = Flash(palette)
        self._talk: Talk | None = None
        self._timer: Timer | None = None
        self._preview: VerdictCame | None = None
        """What sending a line would come to, as it was typed last."""

    def compose(self) -> ComposeResult:
        yield self.question
        yield self._said
        with Horizontal():
            yield Lines(self.palette, [(("> ", "accent"),)], classes="-mark")
            yield self.line

    @property
    def asks(self) -> tuple[Asked, ...]:
        return self._talk.asks if self._talk is not None else ()

    def take(self, found: Talk) -> None:
        self._talk = found
        self.set_class(bool(found.no_talk), "-deaf")
        if self.sent is not None and any(run.id > self.sent[0] for run in found.detail.runs):
            self.sent = None
        if not found.asks and self.question.page.has_focus:
            self.screen.set_focus(self.line)

    def draw(self, told_tokens: int | None, room: tuple[int, int], now_ms: int, zone: tzinfo | None) -> None:
        """`room`: the width, and the lines that a question may have."""
        self.line.placeholder = self._keys.told(_HINT)
        self.question.take(self.asks, *room, now_ms, zone)
        run = self._talk.open if self._talk is not None else None
        if self._talk is not None and run is not None:
            self._said.stand(live_words(run, told_tokens, now_ms, self._keys))
        else:
            self._draw_preview()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.flash(line, tone)

    def stand(self, line: str, tone: Tone) -> None:
        self._said.stand(((line, tone),))

    def take_verdict(self, message: VerdictCame) -> None:
        self._preview = message
        self._draw_preview()

    def on_input_changed(self, event: Input.Changed) -> None:
        """What it would come to is asked once the typing has paused."""
        event.stop()
        self._said.clear()
        self._end_timer()
        if self.line.value.strip():
            self._timer = self.set_timer(DEBOUNCE_S, self._ask_preview)
        self._draw_preview()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._keys.means("enter", "talk.say"):
            self.action_say()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("approve", "deny") and not (self.asks and not self.line.has_focus):
            return False
        if (action == "stop" and self._open is None) or (action == "say" and not self.line.has_focus):
            return False
        return actions.permit(self.app, ("talk",), action)

    def action_say(self) -> None:
        text = self.line.value.strip()
        if not text or self._talk is None or not self._can_order:
            return
        if self._open is not None or self.sent is not None:
            said = "it has not answered yet: {session.interrupt} has it leave its turn"
            self.flash(self._keys.told(said), "warn")
            return
        self.sent = (max((run.id for run in self._talk.detail.runs), default=0), text)
        self._end_timer()
        self.line.value = ""
        self.flash("")
        self._console.link.order("run", request(self._talk, text), self._asked, self._failed)
        self.post_message(self.Spoken())

    def action_approve(self) -> None:
        self._decide(approve=True)

    def action_deny(self) -> None:
        self._decide(approve=False)

    def action_stop(self) -> None:
        if run := self._open:
            self.post_message(StopAsked(run.id, waits=not run.live))

    @property
    def _console(self) -> Any:
        return cast("Any", self.app)

    @property
    def _keys(self) -> Keymap:
        found: Keymap = self._console.keymap
        return found

    @property
    def _can_order(self) -> bool:
        return bool(self._console.can_order)

    @property
    def _open(self) -> Any:
        return self._talk.open if self._talk is not None else None

    def _decide(self, *, approve: bool) -> None:
        if self.asks:
            self.post_message(decision(self.asks[0], approve, self._console.zone))

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
        if self.sent is not None and not self.line.value:
            self.line.value = self.sent[1]
            self.line.cursor_position = len(self.line.value)
        self.sent = None
        self.post_message(self.Spoken())

    def _draw_preview(self) -> None:
        """While a line is typed: what it would come to."""
        said = self._preview
        if self._open is not None:
            return
        if said is None or self._request() != said.request:
            self._said.stand(())
        elif said.verdict is None:
            self._said.stand(((said.line, "warn"),))
        else:
            self._said.stand(preview_words(said.verdict))

    def _request(self) -> RunRequest | None:
        """What the line says, as it would be asked for."""
        text = self.line.value.strip()
        return request(self._talk, text) if text and self._talk is not None else None

    def _ask_preview(self) -> None:
        wanted = self._request()
        if wanted is not None and self._open is None and self._can_order:
            self._console.link.preview(wanted)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
