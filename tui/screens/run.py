"""One run: why it was let through or not, what its prompt was made of, what it used, what it says. Live while live."""

from datetime import tzinfo
from itertools import zip_longest

from textual.app import ComposeResult

from engine.contract.verdict import ReceiptPart
from engine.sessions.reuse import WORDS
from state.runs import Run
from tui import actions, changes
from tui.panes.messages import StopAsked
from tui.panes.runs import outcome_words, took
from tui.screens.run_gate import fact, gate_lines
from tui.screens.run_usage import usage_lines
from tui.screens.screen import DeckScreen
from tui.screens.sheet import check_line
from tui.text import ago, plural
from tui.theme import Palette, Tone
from tui.views import Gone, RunDetail, run_detail
from tui.widgets.cells import Cell, cut, line_width, wrap
from tui.widgets.lines import Lines, Page

_FACT_INDENT, _CHECK_INDENT = 11, 18
_SIDE_BY_SIDE, _USAGE_WIDTH = 112, 62
"""From so many cells on the prompt and the usage stand side by side, the usage in so many."""
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
        self._said = Lines(palette, classes="-said")

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self._page
        yield self._said

    def on_mount(self) -> None:
        self._page.focus()

    def on_screen_resume(self) -> None:
        self.deck.feed.watch(run_detail(self.run_id), OUTPUT_EVERY_MS)

    def on_resize(self) -> None:
        self._draw()

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(RunDetail() as detail) if detail.run.id == self.run_id:
                settled = self.detail is not None and self.detail.run.open and not detail.run.open
                self.detail = detail
                self._draw()
                self.refresh_bindings()
                if settled or not detail.run.open:
                    self.flash("")
            case changes.DetailChanged(Gone(line)):
                self.flash(line, "warn")
            case _:
                pass

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self._draw()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.show([((line, tone),)])

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
        self._title.show([title_line(self.detail, self.now_ms, max(60, self.size.width - 2))])
        lines = page_lines(self.detail, self.now_ms, max(60, self.size.width - 2), self.deck.zone)
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


def page_lines(detail: RunDetail, now_ms: int, width: int, zone: tzinfo | None = None) -> list[Cell]:
    """The page, section by section."""
    sections = (
        (_FACT_INDENT, [*_facts(detail, now_ms), *gate_lines(detail, now_ms, zone)]),
        (_CHECK_INDENT, _checks(detail)),
        *((2, section) for section in _prompt_and_usage(detail, width)),
        (2, _output("output", detail.tail, detail.run.live)),
        (2, _output("errors", detail.errors, False) if detail.errors else []),
    )
    return [part for indent, lines in sections if lines for line in (*lines, ()) for part in wrap(line, width, indent)]


def _prompt_and_usage(detail: RunDetail, width: int) -> list[list[Cell]]:
    """Side by side where there is room, else one below the other."""
    if width < _SIDE_BY_SIDE or not detail.parts:
        return [_prompt(detail, width), usage_lines(detail)]
    half = width - _USAGE_WIDTH
    usage = [part for line in usage_lines(detail) for part in wrap(line, _USAGE_WIDTH, 15)]
    pairs = zip_longest(_prompt(detail, half - 2, chars=False), usage, fillvalue=())
    return [[(*cut(left, half), *cut(right, _USAGE_WIDTH)) for left, right in pairs]]


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
    wide = max(16, width - (46 if chars else 37))
    long = f"{'chars':>9}" if chars else ""
    rows: list[Cell] = [
        (
            ("  ", "text"),
            *cut(((part.source, "text"),), wide),
            (f"{part.kind:<14}", "dim"),
            (f"{_sent(part, part.tokens):>8}", "text"),
            (f"{_sent(part, part.chars):>9}" if chars else "", "dim"),
            (f"  {'yes' if part.stable else 'no'}" if part.sent else "  (held)", "dim"),
        )
        for part in detail.parts
    ]
    sent = [part for part in detail.parts if part.sent]
    total = f"  {'total':<{wide}}{'':<14}{sum(part.tokens for part in sent):>8,}"
    if chars:
        total = f"{total}{sum(part.chars for part in sent):>9,}"
    more = detail.everything_tokens
    everything = f"; {more:,} with everything" if more is not None and more > sum(part.tokens for part in sent) else ""
    head = f"  {'part':<{wide}}{'kind':<14}{'tokens':>8}{long}  stable"
    return [_head("prompt", f"as it was sent{everything}"), ((head, "dim"),), *rows, ((total, "text"),)]


def _sent(part: ReceiptPart, number: int) -> str:
    """Nothing of a part that the conversation held already."""
    return f"{number:,}" if part.sent else "-"


def _output(name: str, lines: tuple[str, ...], live: bool) -> list[Cell]:
    said = "as it comes" if live else "" if lines else "it said nothing"
    return [_head(name, said), *(((f"  {line}", "text"),) for line in lines)]


def _head(title: str, said: str) -> Cell:
    return ((title, "head"), (f"   {said}", "dim"))
