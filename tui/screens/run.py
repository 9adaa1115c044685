"""One run: why it was let through or not, what its prompt was made of, what it used, what it says. Live while live."""

from datetime import tzinfo
from itertools import zip_longest

from textual.app import ComposeResult

from engine.contract.verdict import ReceiptPart
from engine.sessions.reuse import WORDS
from state.runs import Run
from tui import actions, changes
from tui.listener import Listener, RunTold
from tui.panes.messages import StopAsked
from tui.panes.runs import outcome_words, took
from tui.reading import Gone
from tui.screens.run_gate import fact, gate_lines
from tui.screens.run_usage import usage_lines
from tui.screens.screen import DeckScreen
from tui.screens.sheet import check_line
from tui.text import ago, plural
from tui.theme import Palette, Tone
from tui.views import RunDetail, run_detail
from tui.widgets.cells import Cell, cut, line_width, span, wrap
from tui.widgets.flash import Flash
from tui.widgets.lines import Lines, Page

_FACT_INDENT, _CHECK_INDENT = 11, 18
_SIDE_BY_SIDE, _USAGE_WIDTH = 112, 62
"""From so many cells on the prompt and the usage stand side by side, the usage in so many."""
_LEAST_WIDTH = 40
_NUMBERS, _CHARS, _STABLE = 22, 9, 8
"""Cells of a part's kind and tokens, of its characters, and of whether it is stable."""
_LEAST_SOURCE = 14
"""With less room than that for what a part was made of, it has a line of its own."""
TOLD_SHOWN = 200
"""Lines of what a live run tells, the last ones."""
OUTPUT_EVERY_MS = 500
"""How often the output of a live run is read: it grows without anybody committing."""


class RunScreen(DeckScreen):
    """Everything about it on one page that scrolls."""

    DEFAULT_CSS = """
    RunScreen { padding: 0 1; }
    RunScreen > .-title { height: 2; }
    RunScreen > .-said { height: 1; }
    """
    BINDINGS = actions.bindings("run")
    CONTEXTS = ("run",)

    def __init__(self, palette: Palette, run_id: int) -> None:
        super().__init__(palette)
        self.run_id = run_id
        self.detail: RunDetail | None = None
        self._title = Lines(palette, [((f"run {run_id}", "bold"),)], classes="-title")
        self._page = Page(palette)
        self._said = Flash(palette)
        self._listener: Listener | None = None
        self._told: tuple[Cell, ...] = ()
        """What it has told while this was open."""

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self._page
        yield self._said

    def on_mount(self) -> None:
        self._page.focus()

    def on_screen_resume(self) -> None:
        self.deck.feed.watch(run_detail(self.run_id), OUTPUT_EVERY_MS)

    def on_unmount(self) -> None:
        if self._listener is not None:
            self._listener.stop()

    def on_resize(self) -> None:
        self._draw()

    def on_run_told(self, message: RunTold) -> None:
        self._told = message.lines[-TOLD_SHOWN:]
        self._draw()

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(RunDetail() as detail) if detail.run.id == self.run_id:
                settled = self.detail is not None and self.detail.run.open and not detail.run.open
                self.detail = detail
                if detail.run.live and self._listener is None:
                    self._listener = Listener(self.deck.home, self.run_id, self)
                self._draw()
                self.refresh_bindings()
                if settled or not detail.run.open:
                    self.flash("")
            case changes.DetailChanged(Gone(line)):
                self._said.stand(((line, "warn"),))
            case _:
                pass

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self._draw()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.flash(line, tone)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "stop" and (self.detail is None or not self.detail.run.open):
            return False
        return super().check_action(action, parameters)

    def action_stop(self) -> None:
        if self.detail is not None:
            self.post_message(StopAsked(self.run_id, waits=not self.detail.run.live))

    def action_back(self) -> None:
        self.deck.feed.unwatch()
        self.dismiss()

    def _draw(self) -> None:
        if self.detail is None:
            return
        width = max(_LEAST_WIDTH, self.size.width - 2)
        title = wrap(title_line(self.detail, self.now_ms, width), width, 2)
        self._title.styles.height = len(title) + 1
        self._title.show(title)
        lines = page_lines(self.detail, self.now_ms, width, self.deck.zone, self._told)
        self._page.show(lines, follow=self.detail.run.live)


def title_line(detail: RunDetail, now_ms: int, width: int) -> Cell:
    """Who, in which conversation, and how it ended; a long title gives way to the rest."""
    run = detail.run
    said, tone = outcome_words(run)
    took_words = took(run, now_ms)
    length = "" if took_words in ("-", "now") else f" {'for' if run.live else 'in'} {took_words}"
    before: Cell = ((f"{run.agent} ", "accent"), ("> ", "dim"))
    after: Cell = ((" > ", "dim"), (f"run {run.id}", "bold"), ("   ", "dim"), (f"{said}{length}", tone))
    title: Cell = ((detail.session_title or run.job or run.workspace, "text"),)
    room = max(8, width - line_width(before) - line_width(after))
    return (*before, *(title if line_width(title) <= room else cut(title, room)), *after)


def page_lines(
    detail: RunDetail, now_ms: int, width: int, zone: tzinfo | None = None, told: tuple[Cell, ...] = ()
) -> list[Cell]:
    """The page, section by section. `told`: what a live run has told so far, in place of its plain output."""
    sections = (
        (_FACT_INDENT, [*_facts(detail, now_ms), *gate_lines(detail, now_ms, zone)]),
        (_CHECK_INDENT, _checks(detail)),
        *((2, section) for section in _prompt_and_usage(detail, width)),
        (2, _answer(detail, told)),
        (2, _output("errors", detail.errors, False) if detail.errors else []),
    )
    return [part for indent, lines in sections if lines for line in (*lines, ()) for part in wrap(line, width, indent)]


def _began(run: Run) -> bool:
    """Whether there is anything that it could have used or said."""
    return run.state not in ("waiting", "refused")


def _prompt_and_usage(detail: RunDetail, width: int) -> list[list[Cell]]:
    """Side by side where there is room, else one below the other."""
    usage = usage_lines(detail) if detail.run.state != "waiting" else []
    if width < _SIDE_BY_SIDE or not detail.parts or not usage:
        return [_prompt(detail, width), usage]
    half = width - _USAGE_WIDTH
    right = [part for line in usage for part in wrap(line, _USAGE_WIDTH, 15)]
    left = [part for line in _prompt(detail, half - 2, chars=False) for part in wrap(line, half - 2, 2)]
    pairs = zip_longest(left, right, fillvalue=())
    return [[(*cut(one, half), *cut(other, _USAGE_WIDTH)) for one, other in pairs]]


def _facts(detail: RunDetail, now_ms: int) -> list[Cell]:
    run = detail.run
    none = "it has no conversation yet" if run.open else "refused before it had a conversation"
    reason = WORDS.get(run.reuse_reason or "", run.reuse_reason or none)
    where = f"   generation {detail.generation}" if detail.generation is not None else ""
    lines = [
        fact(
            "asked",
            f"{run.trigger}, {ago(run.requested_ms, now_ms)}",
            f"{run.task_type}, {run.lane} lane, {run.adapter}",
        ),
        fact("task", run.task or (f"job {run.job}" if run.job else "-")),
        fact("why", f"{reason}{where}"),
        fact("workspace", run.workspace),
        *_given(run),
    ]
    if run.why or run.summary:
        tone: Tone = "bad" if run.why and not run.open and run.outcome != "succeeded" else "text"
        lines.append(fact("because" if run.open else "outcome", run.why or run.summary or "", tone=tone))
    if run.exit_code is not None or run.signal is not None:
        how = f"exit code {run.exit_code}" if run.signal is None else f"ended by signal {run.signal}"
        lines.append(fact("", how))
    return lines


def _given(run: Run) -> list[Cell]:
    """What the agent was given, as far as it is known."""
    said = []
    if run.task_session_reused is not None:
        said.append("session reused for its task" if run.task_session_reused else "session new to its task")
    if run.prompt_chars is not None:
        said.append(f"prompt {run.prompt_chars:,} chars")
    if run.instructions_chars is not None:
        said.append(f"instructions {run.instructions_chars:,} chars")
    elif run.has_instructions_file is not None:
        said.append("an instructions file" if run.has_instructions_file else "no instructions file")
    if run.skill_count is not None:
        mark = f" ({run.skill_set_hash[:8]})" if run.skill_set_hash else ""
        said.append(f"{plural(run.skill_count, 'skill')}{mark}")
    if run.context_fetch_mode is not None:
        said.append(f"context {run.context_fetch_mode}")
    return [fact("given", ", ".join(said))] if said else []


def _checks(detail: RunDetail) -> list[Cell]:
    verdict = detail.verdict
    if verdict is None:
        return [_head("verdict", "not readable")]
    warned = sum(bool(check.ok and check.warning) for check in verdict.checks)
    said = "every check passed" + (f", {plural(warned, 'warning')}" if warned else "")
    if not verdict.ok:
        waits = "it waits" if detail.run.state == "waiting" else "nothing was spent"
        said = f"{plural(len(verdict.failed), 'check')} failed; {waits}"
    return [_head("verdict", said), *((("  ", "text"), *check_line(check)) for check in verdict.checks)]


def _prompt(detail: RunDetail, width: int, chars: bool = True) -> list[Cell]:
    if not detail.parts:
        return [_head("prompt", "none was composed")]
    wide = width - 2 - _NUMBERS - (_CHARS if chars else 0) - _STABLE
    wide = wide if wide >= _LEAST_SOURCE else 0
    sent = [part for part in detail.parts if part.sent]
    tokens, letters = sum(part.tokens for part in sent), sum(part.chars for part in sent)
    more = detail.everything_tokens
    everything = f"; {more:,} with everything" if more is not None and more > tokens else ""
    head = f"  {'part':<{wide}}{'kind':<13}{'tokens':>9}{'chars' if chars else '':>{_CHARS if chars else 0}}  stable"
    total = f"  {'total':<{max(wide, 13)}}{tokens:>{_NUMBERS + wide - max(wide, 13)},}"
    return [
        _head("prompt", f"{_SENT.get(detail.run.state, 'as it was sent')}{everything}"),
        *([span(head, "dim")] if wide else []),
        *(line for part in detail.parts for line in _part_lines(part, wide, chars)),
        span(f"{total}{letters:>{_CHARS},}" if chars else total),
    ]


_SENT = {"waiting": "as it would be sent", "refused": "as it would have been sent"}
"""By the state of a run that was not started."""


def _part_lines(part: ReceiptPart, wide: int, chars: bool) -> list[Cell]:
    """One line, or two where what it was made of is longer than its column."""
    source: Cell = (("  ", "text"), (part.source, "text"))
    numbers: Cell = (
        (f"{part.kind:<13}", "dim"),
        (f"{_sent(part, part.tokens):>9}", "text"),
        (f"{_sent(part, part.chars):>{_CHARS}}" if chars else "", "dim"),
        (f"  {'yes' if part.stable else 'no'}" if part.sent else "  (held)", "dim"),
    )
    if line_width(source) <= wide + 1:
        return [(*cut(source, wide + 2), *numbers)]
    return [source, (("  " + " " * wide, "text"), *numbers)]


def _sent(part: ReceiptPart, number: int) -> str:
    """Nothing of a part that the conversation held already."""
    return f"{number:,}" if part.sent else "-"


def _answer(detail: RunDetail, told: tuple[Cell, ...]) -> list[Cell]:
    if detail.run.live and told:
        return [_head("output", "as it comes"), *told]
    return _output("output", detail.tail, detail.run.live) if _began(detail.run) or detail.tail else []


def _output(name: str, lines: tuple[str, ...], live: bool) -> list[Cell]:
    said = "as it comes" if live else "" if lines else "it said nothing"
    return [_head(name, said), *(((f"  {line}", "text"),) for line in lines)]


def _head(title: str, said: str) -> Cell:
    return ((title, "head"), (f"   {said}", "dim"))
