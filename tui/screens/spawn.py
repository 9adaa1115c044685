"""Ask for a run, and see the verdict as you type. Nothing is spent before ctrl+s, and then only if all checks pass."""

import shlex
from pathlib import Path
from typing import Any

from textual.timer import Timer

from engine.config.durations import seconds
from engine.contract.orders import RunRequest
from engine.contract.verdict import Verdict
from tui import actions
from tui.messages import VerdictCame
from tui.panes.messages import RunOpened
from tui.screens.sheet import Sheet, no_line, ok_line
from tui.theme import Palette
from tui.widgets.cells import Cell
from tui.widgets.form import Field

DEBOUNCE_S = 0.15
NOTHING_SPENT: Cell = (("nothing is spent yet", "dim"),)


class SpawnSheet(Sheet):
    """The request on top, the verdict below: one line for each check."""

    BINDINGS = actions.bindings("spawn")
    CONTEXTS = ("spawn",)

    def __init__(self, palette: Palette, agents: tuple[str, ...], workspace: str) -> None:
        fields = (
            Field("task", hint="what to do, in words"),
            Field("agent", "digest" if "digest" in agents else agents[0], "who does it", agents),
            Field("workspace", workspace, "the folder it works in"),
            Field("inject", hint="files for its prompt, apart by blanks: README.md docs/api.md"),
            Field("can write", hint="paths it may write, apart by blanks: notes/api.md"),
            Field("timeout", hint="as the agent has it; for instance 10m"),
            Field("program", hint="for the agent command: what to run, for instance wc -w"),
        )
        super().__init__(palette, "Spawn a subagent", "the prompt holds what inject names, and nothing else", fields)
        self._agents = agents
        self._timer: Timer | None = None
        self._verdict: Verdict | None = None
        self._of: RunRequest | None = None

    def judge(self) -> None:
        """Ask the engine, once the typing has paused."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(DEBOUNCE_S, self._ask)

    def take_verdict(self, message: VerdictCame) -> None:
        """What the engine said to what was typed; an answer to an older question is not ours any more."""
        request, problem = self.request()
        if request != message.request or problem:
            return
        self._verdict, self._of = message.verdict, message.request
        if message.verdict is None:
            self.judged([no_line("engine", message.line), (), NOTHING_SPENT])
            return
        lines = [_check_line(check) for check in message.verdict.checks]
        parts: list[Cell] = []
        if message.receipt is not None and message.receipt.parts:
            parts = [(), (("prompt      ", "dim"), (_parts(message), "dim"))]
        word: Cell = (("every check passes: ctrl+s spawns", "accent"),)
        if not message.verdict.ok:
            number = len(message.verdict.failed)
            word = ((f"{number} check{'s' * (number > 1)} must pass first", "warn"),)
        self.judged([*lines, *parts, (), (*word, ("      ", "dim"), *NOTHING_SPENT)])

    def request(self) -> tuple[RunRequest | None, Cell]:
        """What the fields ask for, or the line that says what is wrong with one of them."""
        values = self.form.values
        if values["agent"] not in self._agents:
            return None, no_line("agent", f"there is no agent '{values['agent']}'", f"known: {', '.join(self._agents)}")
        try:
            timeout_s = seconds(values["timeout"]) if values["timeout"] else None
        except ValueError as error:
            return None, no_line("timeout", str(error))
        try:
            argv = tuple(shlex.split(values["program"]))
        except ValueError as error:
            return None, no_line("program", f"{error}", "close the quotation")
        return RunRequest(
            agent=values["agent"],
            workspace=str(Path(values["workspace"] or ".").expanduser().absolute()),
            task=values["task"],
            inject=tuple(values["inject"].split()) or None,
            can_write=tuple(values["can write"].split()),
            timeout_s=timeout_s,
            argv=argv,
            trigger="spawn",
            lane="isolated",
        ), ()

    def action_save(self) -> None:
        """Spawn, when the verdict is about exactly this and every check passes."""
        request, problem = self.request()
        if request is None or problem:
            self.flash("this cannot be asked for yet", "warn")
        elif self._verdict is None or self._of != request:
            self.flash("the verdict on this is not there yet", "warn")
        elif not self._verdict.ok:
            self.flash("refused: " + "; ".join(check.why for check in self._verdict.failed), "bad")
        else:
            self.flash("asked for; waiting for the engine", "dim")
            self.deck.link.order("run", request, self._spawned)

    def _ask(self) -> None:
        request, problem = self.request()
        if request is None:
            self._verdict = self._of = None
            self.judged([problem, (), NOTHING_SPENT])
        else:
            self.deck.link.preview(request)

    def _spawned(self, answer: Any) -> None:
        deck = self.deck
        if self.is_current:
            self.dismiss()
        if answer["verdict"]["ok"]:
            deck.tell(f"run {answer['run']} is admitted")
            deck.post_message(RunOpened(answer["run"]))
        else:
            failed = "; ".join(check["why"] for check in answer["verdict"]["checks"] if not check["ok"])
            deck.tell(f"refused meanwhile: {failed}", "bad")


def _check_line(check: Any) -> Cell:
    return ok_line(check.name, check.why) if check.ok else no_line(check.name, check.why, check.fix)


def _parts(message: VerdictCame) -> str:
    assert message.receipt is not None
    said = [f"{part.source} {part.tokens:,}" for part in message.receipt.parts]
    return f"{' + '.join(said)} = {message.receipt.tokens:,} tokens"
