"""What came of a run at the gate and after it? What routed it, what it waits for, who asked for it, what it changed."""

from collections.abc import Callable
from datetime import tzinfo

import msgspec

from engine.config.durations import say
from engine.contract.outcome import StoppedAt
from engine.contract.verdict import WAITING_WORDS
from engine.scopes.violations import words
from state.runs import Run
from tui.actions.keymap import SHIPPED, Keymap
from tui.reading.details import RunDetail
from tui.reading.run_words import answers_words, over_words, questions_words
from tui.screens.question import asks_for
from tui.text import amount_in_full, due, moment, plural
from tui.theme import Tone
from tui.widgets.cells import Cell

_UNSAID = ("task", "lane", "agent")
"""Values of the route that the page tells elsewhere."""
_NAMES = {
    "task_type": "task type",
    "can_read": "can read",
    "can_write": "can write",
    "timeout_s": "timeout",
    "timeout_max_s": "longest timeout",
    "target_tokens": "target of the prompt",
    "injected_tokens": "limit of the prompt",
    "run_tokens": "limit of the run",
    "run_microusd": "limit in dollars",
    "stop_turns": "turns until it is ended",
    "stop_tokens": "tokens until it is ended",
    "stop_microusd": "dollars until it is ended",
    "silence_s": "longest silence",
    "linger_s": "kept for a next turn",
    "bootstrap_template": "bootstrap template",
    "prompt_template": "prompt template",
}
"""How a value of the route is called where its own name is not a word."""
_VALUES: dict[str, Callable[[Run], str]] = {
    "model": lambda run: run.model or "-",
    "task_type": lambda run: run.task_type,
    "inject": lambda run: _many(run.inject, "file"),
    "can_read": lambda run: _many(run.can_read, "path"),
    "can_write": lambda run: _many(run.can_write, "path"),
    "timeout_s": lambda run: "none" if run.timeout_s is None else say(run.timeout_s),
    "skills": lambda run: f"{run.skill_count or 0}",
}
"""Of what is kept with the run; of the other values, the receipt keeps who decided them."""


def gate_lines(detail: RunDetail, now_ms: int, zone: tzinfo | None, keys: Keymap = SHIPPED) -> list[Cell]:
    """One line for each of these that there is something to say of. `keys` are those in force."""
    answers = keys.told("{inbox} on the overview answers, {hint.follow} goes there")
    return [
        *_wait(detail.run, now_ms, zone, answers),
        *_asks(detail, answers),
        *_stopped(detail),
        *_held(detail),
        *_estimate(detail),
        *_routed(detail),
        *_cache(detail),
        *_changed(detail),
        *_links(detail),
    ]


def waits_for_word(detail: RunDetail) -> bool:
    """Whether the operator has to say something for it to go on."""
    return bool(detail.asks) or (detail.run.state == "waiting" and detail.run.waits_for == "approval")


def fact(name: str, value: str, beside: str = "", tone: Tone = "text") -> Cell:
    """A line of the page: what it is, what it says, and what stands dim beside it."""
    return ((f"{name:<11}", "dim"), (value, tone), (f"   {beside}" if beside else "", "dim"))


def _wait(run: Run, now_ms: int, zone: tzinfo | None, answers: str) -> list[Cell]:
    if run.state != "waiting":
        return []
    until = f", until {due(run.expires_ms, now_ms, zone)}" if run.expires_ms is not None else ""
    beside = answers if run.waits_for == "approval" else "it comes by itself"
    since = moment(run.requested_ms, now_ms, zone)
    said = f"for {WAITING_WORDS.get(run.waits_for or '', run.waits_for)} since {since}{until}"
    return [fact("waits", said, beside, "warn")]


def _asks(detail: RunDetail, answers: str) -> list[Cell]:
    return [fact("asks", asks_for(one), answers, "warn") for one in detail.asks]


def _held(detail: RunDetail) -> list[Cell]:
    """What held it, how often it asked its model and the operator, and what its keeper had to do at its end."""
    run, end = detail.run, detail.end
    said = ", ".join(filter(None, (answers_words(run.turns), questions_words(detail.asked))))
    lines = [fact("held by", f"sandbox {run.sandbox}")] if run.sandbox else []
    lines += [fact("turns", said)] if said else []
    ended = []
    if end is not None:
        left = "1 process that it left was" if end.leaked == 1 else f"{end.leaked:,} processes that it left were"
        ended += ["it had to be killed after the grace"] if end.escalated else []
        ended += [f"{left} ended"] if end.leaked else []
        ended += [f"{plural(end.dropped_bytes, 'byte')} of its output dropped"] if end.dropped_bytes else []
    return [*lines, fact("ended", "; ".join(ended), tone="warn")] if ended else lines


def _stopped(detail: RunDetail) -> list[Cell]:
    if detail.run.outcome != "budget_reached":
        over = detail.over
        return [] if over is None else [fact("limit", over_words(over), "more than its own limit", "warn")]
    if detail.stop is not None and not detail.stop.at:
        return [fact("limit", f"its own: {detail.run.why or 'it may use no more'}", "no budget stopped it", "warn")]
    at = " and ".join(_limit(one) for one in detail.stop.at) if detail.stop else "a budget"
    goes = f"run {detail.next_run} goes on with it" if detail.next_run else "nothing goes on with it yet"
    return [fact("budget", f"it needed more than {at} had left: ended so that it can go on", goes, "warn")]


def _limit(at: StoppedAt) -> str:
    return f"budget {at.budget} ({amount_in_full(at.unit, at.limit)})"


def _estimate(detail: RunDetail) -> list[Cell]:
    """`190 - 420, likely 210, was 202`, and what it rests on."""
    expected, run = detail.estimate, detail.run
    if expected is None:
        return []
    if expected.basis == "none" and not run.used_tokens:
        return [fact("estimate", "no tokens", "no model is named for its program")]
    spread = f"{expected.low_tokens:,} - {expected.high_tokens:,}, likely {expected.likely_tokens:,}"
    was = f", was {run.used_tokens:,}" if run.used_tokens else "" if run.open or not detail.usage else ", was 0"
    basis = f"from {plural(expected.runs, 'run')}" if expected.basis == "history" else _BASES[expected.basis]
    if expected.basis == "history" and expected.error_median is not None:
        basis += f", past error {expected.error_median:.0%}"
    return [fact("estimate", spread + was, basis)]


_BASES = {"declared": "declared: too few runs to go by", "none": "no model is named for its program"}


def _routed(detail: RunDetail) -> list[Cell]:
    """`model haiku (agent), inject 2 files (job)`: what is not as shipped, and which level says so."""
    said = [
        f"{_NAMES.get(name, name)} {_VALUES[name](detail.run)} ({level})".replace("  ", " ")
        if name in _VALUES
        else f"{_NAMES.get(name, name)} ({level})"
        for name, level in detail.decided
        if level != "shipped" and name not in _UNSAID
    ]
    if detail.run.template:
        said.insert(0, f"template {detail.run.template}")
    if not detail.decided:
        return []
    return [fact("routed", ", ".join(said) or "as shipped")]


def _cache(detail: RunDetail) -> list[Cell]:
    found = detail.cache_break
    if found is None:
        return []
    said = f"broke at {found.part}: {found.why}; {plural(found.lost_tokens, 'token')} read anew"
    read, written = (sum(getattr(row, f"cache_{kind}_tokens") for row in detail.usage) for kind in ("read", "write"))
    booked = f"; booked: {read:,} read from the cache, {written:,} written" if detail.usage else ""
    return [fact("cache", said, f"{found.kept_tokens:,} before it still stood{booked}", "warn")]


def _changed(detail: RunDetail) -> list[Cell]:
    found = detail.changes
    if found is None:
        return []
    lines = [fact("changed", words(found), tone="bad" if found.violations_total else "text")]
    lines += [((f"{'':<11}", "dim"), ("outside  ", "bad"), (path, "bad")) for path in found.violations]
    more = found.violations_total - len(found.violations)
    if found.violations and more > 0:
        lines.append(((f"{'':<11}", "dim"), (f"and {more:,} more", "bad")))
    if found.violations_total and found.beside:
        beside = f"live in the same workspace meanwhile, so any of them may have made these: {', '.join(found.beside)}"
        lines.append(((f"{'':<11}", "dim"), (beside, "warn")))
    return lines


def _links(detail: RunDetail) -> list[Cell]:
    run, said = detail.run, []
    if run.parent_run_id is not None:
        said.append(f"spawned by run {run.parent_run_id}, depth {run.depth}")
    if run.resumes_run_id is not None:
        said.append(f"goes on with run {run.resumes_run_id}")
    if detail.next_run is not None:
        said.append(f"run {detail.next_run} goes on with this one")
    if run.falls_back_from is not None:
        said.append(f"does run {run.falls_back_from} again, whose model could not be reached")
    if detail.again is not None:
        said.append(f"run {detail.again} does it again with another model")
    if run.client_id is not None:
        said.append(f"a turn of the program that run {run.client_id} started")
    if detail.children:
        said.append(f"spawned {'run' if len(detail.children) == 1 else 'runs'} {', '.join(map(str, detail.children))}")
    return [fact("beside", "; ".join(said))] if said else []


def _many(text: str, thing: str) -> str:
    """How many a stored JSON list has."""
    try:
        return plural(len(msgspec.json.decode(text, type=list[str])), thing)
    except msgspec.DecodeError:
        return "-"
