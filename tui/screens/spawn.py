"""Ask for a run, and see the verdict as you type. Nothing is spent before you say so, and only if all checks pass."""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec
from textual.timer import Timer

from engine.admission.admit import waits_for
from engine.config.model import NO_SKILLS, Config
from engine.contract.orders import RunRequest
from engine.contract.route import Permissions, Read, SandboxMode
from engine.contract.verdict import WAITING_WORDS, Verdict, WaitsFor
from state.errors import Refused
from tui import actions
from tui.actions.keymap import SHIPPED, Keymap
from tui.messages import VerdictCame
from tui.panes.messages import RunOpened
from tui.screens.sheet import Sheet, check_line, no_line
from tui.screens.spawn_prompt import prompt_lines
from tui.screens.spawn_request import blamed, folded_words, holds, params_hint, request_of, wrong_fields
from tui.text import plural
from tui.theme import Palette
from tui.widgets.cells import Cell
from tui.widgets.form import Field

DEBOUNCE_S = 0.15
FOLDS = "folds these; empty ones are as declared"
NOTHING_SPENT: Cell = (("nothing is spent yet", "dim"),)


class SpawnSheet(Sheet):
    """The request on top, the verdict below: one line for each check, then what the prompt is made of."""

    BINDINGS = actions.bindings("spawn")
    CONTEXTS = ("spawn",)

    def __init__(self, palette: Palette, config: Config, workspace: str) -> None:
        title, beside = "Spawn a subagent", "in a conversation of its own; the prompt holds what is named here"
        super().__init__(palette, title, beside, _fields(config, workspace))
        self._config = config
        self._timer: Timer | None = None
        self._verdict: Verdict | None = None
        self._of: RunRequest | None = None
        self._hints: dict[str, str] = {}
        self._last: list[Cell] = []
        """The last verdict, as it was shown."""
        self._ordered = False
        """Asked for, and not answered yet: a second press must not be a second run."""

    def judge(self) -> None:
        """Ask the engine, once the typing has paused."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(DEBOUNCE_S, self._ask)

    def take_verdict(self, message: VerdictCame) -> None:
        """What the engine said to what was typed; an answer to an older question is not ours any more."""
        if self._request() != message.request:
            return
        self._verdict, self._of = message.verdict, message.request
        if message.verdict is None or message.receipt is None:
            self._hint({"params": params_hint(message.request.template, self._config)})
            self._wrong([(*blamed(message.line, self.form.values), "")])
            return
        self.form.mark(())
        self._hint(holds(message.request, self._config, message.receipt.decided))
        checks = self._ranked(message.verdict)
        head: Cell = (*standing(message.verdict, self.deck.keymap), ("      ", "dim"), *NOTHING_SPENT)
        self._last = [head, *checks, (), *prompt_lines(message.receipt)]
        self.judgement.action_end(-1)
        self.judged(self._last)

    def engine_came(self) -> None:
        """What was typed meanwhile has had no answer."""
        self.judge()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "wait" and (self._waits(may_wait=True) is None or self._waits(may_wait=False) is not None):
            return False
        return super().check_action(action, parameters)

    def action_save(self) -> None:
        """Spawn, when the verdict is about exactly this and every check passes; or put the question that it takes."""
        self._order(may_wait=False)

    def action_wait(self) -> None:
        """The same, and let it wait for what is missing."""
        self._order(may_wait=True)

    def _order(self, *, may_wait: bool) -> None:
        request, verdict = self._request(), self._verdict
        if self._ordered:
            self.flash("asked for already; waiting for the engine", "dim")
        elif request is None:
            self.flash("this cannot be asked for yet", "warn")
        elif verdict is None or self._of != request:
            self.flash("the verdict on this is not there yet", "warn")
        elif not verdict.ok and self._waits(may_wait=may_wait) is None:
            self.flash("refused: " + "; ".join(check.why for check in verdict.failed), "bad")
        else:
            self.flash("asked for; waiting for the engine", "dim")
            self._ordered = True
            self.deck.link.order("run", msgspec.structs.replace(request, wait=may_wait), self._spawned, self._failed)

    def _waits(self, *, may_wait: bool) -> WaitsFor | None:
        """What it would wait for, if it were asked for now."""
        return None if self._verdict is None else waits_for(self._verdict, may_wait=may_wait)

    def _ranked(self, verdict: Verdict) -> list[Cell]:
        """As they are evaluated; where not all of them can be seen, those that fail first."""
        lines = [check_line(check) for check in verdict.checks]
        if len(self.wrapped(lines)) < self.judgement.size.height:
            return lines
        return [check_line(check) for check in sorted(verdict.checks, key=lambda check: check.ok)]

    def _request(self) -> RunRequest | None:
        try:
            return request_of(self.form.values)
        except Refused:
            return None

    def _ask(self) -> None:
        if wrong := wrong_fields(self.form.values, self._config):
            self._verdict = self._of = None
            self._wrong(wrong)
            return
        request = request_of(self.form.values)
        self._hint(self._hints | {"params": params_hint(request.template, self._config)})
        self.deck.link.preview(request)

    def _wrong(self, problems: Sequence[tuple[str, str, str]]) -> None:
        """Every field that is wrong; below it the last verdict, dim, since it was on something else."""
        before: list[Cell] = [tuple((text, "dim") for text, _ in line) for line in self._last]
        self.judgement.action_end(-1)
        self.form.mark(name for name, _, _ in problems)
        self.judged([*(no_line(*problem) for problem in problems), NOTHING_SPENT, (), *before])

    def action_fold(self) -> None:
        self.form.fold(not self.form.folded)
        self._say_folded()

    def _hint(self, hints: dict[str, str]) -> None:
        self._hints = hints
        self.form.hint(hints)
        self._say_folded()

    def _say_folded(self) -> None:
        """What the route decided of each folded field, where they are out of sight."""
        names = [field.name for field in self.form.fields if field.folded]
        said: Cell = folded_words(self.form.values, self._hints, names) if self.form.folded else ((FOLDS, "dim"),)
        self.form.say_folded((("more        ", "dim"), (f"{self.deck.keymap.named('spawn.fold')}  ", "accent"), *said))

    def _failed(self, _: str) -> None:
        """The app says why."""
        self._ordered = False

    def _spawned(self, answer: Any) -> None:
        deck, run, waits = self.deck, answer["run"], answer["waits_for"]
        if self.is_current:
            self.dismiss()
        if waits == "approval":
            deck.tell(f"run {run} waits for your word: {deck.keymap.named('inbox')} answers", "warn")
        elif waits is not None:
            deck.tell(f"run {run} waits for {WAITING_WORDS[waits]}")
            deck.post_message(RunOpened(run))
        elif answer["verdict"]["ok"]:
            deck.tell(f"run {run} is admitted")
            deck.post_message(RunOpened(run))
        else:
            failed = "; ".join(check["why"] for check in answer["verdict"]["checks"] if not check["ok"])
            deck.tell(f"refused meanwhile: {failed}", "bad")


def standing(verdict: Verdict, keys: Keymap = SHIPPED) -> Cell:
    """What can be done about it: one line that is always in sight."""
    if verdict.ok:
        return ((keys.told("every check passes: {spawn.save} spawns"), "accent"),)
    names = ", ".join(check.name for check in verdict.failed)
    said = f"{plural(len(verdict.failed), 'check')} must pass first: {names}"
    by_itself, wanted = waits_for(verdict, may_wait=False), waits_for(verdict, may_wait=True)
    if by_itself == "approval":
        asks = keys.told("   {spawn.save} asks: it waits for your word, {inbox} answers it")
        return ((said, "warn"), (asks, "accent"))
    if by_itself is not None:
        lets = keys.told(f"   {{spawn.save}} lets it wait for {WAITING_WORDS[by_itself]}")
        return ((said, "warn"), (lets, "accent"))
    if wanted is not None:
        return ((said, "warn"), (keys.told(f"   {{spawn.wait}} waits for {WAITING_WORDS[wanted]}"), "accent"))
    return ((said, "warn"),)


def _fields(config: Config, workspace: str) -> tuple[Field, ...]:
    sets = (NO_SKILLS, *config.skill_set)
    return (
        Field("task", hint="what to do, in words"),
        Field("inject", hint="files for its prompt, apart by blanks: README.md docs/api.md", paths=True),
        Field("agent", hint="who does it", choices=tuple(config.agents)),
        Field("model", hint="as the agent calls it", beside=True),
        Field("template", hint="none", choices=tuple(config.template)),
        Field("params", hint="for the template: key=value", beside=True),
        Field("task type", hint="what kind of work", choices=tuple(config.task_types)),
        Field("skills", hint="the name of a set", choices=sets, beside=True),
        Field("can read", hint="paths, apart by blanks", paths=True),
        Field("can write", hint="paths: notes/api.md", beside=True, paths=True),
        Field("tools", hint="names, or none"),
        Field("timeout", hint="for instance 10m", beside=True),
        Field("limits", hint="injected, in all, $: 500 20k $0.10"),
        Field("workspace", workspace, "the folder it works in", beside=True),
        Field("program", hint="for the agent command: what to run, for instance wc -w"),
        *_rarely_said(),
    )


def _rarely_said() -> tuple[Field, ...]:
    """Folded: what nobody says here is as it is declared."""
    said = (
        Field("permissions", hint="ask, allow or deny", choices=get_args(Permissions)),
        Field("sandbox", hint="require, prefer or off", choices=get_args(SandboxMode)),
        Field("read", hint="open or strict", choices=get_args(Read)),
        Field("silence", hint="the longest, for instance 2m"),
        Field("fallback", hint="models, apart by blanks, or none"),
        Field("keep", hint="settings memory ..., or none"),
        Field("grace", hint="for its end, for instance 5s"),
        Field("stop turns", hint="ended beyond these"),
        Field("stop tokens", hint="ended beyond these: 20k"),
        Field("stop usd", hint="ended beyond this: $0.10"),
    )
    return tuple(msgspec.structs.replace(field, folded=True, beside=place % 2 == 1) for place, field in enumerate(said))
