"""What exactly am I asked? A question as it is stored, what a yes would grant, and why a skill is held."""

from collections.abc import Sequence
from datetime import tzinfo

from msgspec import Struct

from engine.runtime.questions import Permission, Question, Raise
from tui.actions.keymap import SHIPPED, Keymap
from tui.clean import clean
from tui.panes.messages import DecisionAsked
from tui.reading.asked import HASH_SHOWN, Asked
from tui.reading.views import SkillBoard
from tui.text import ago, amount, amount_in_full, due, plural, stamp
from tui.widgets.cells import Cell, span

_INDENT = 11
_SHORT = 200
"""Characters of what is told in one line."""
_WINDOWS = {"5h": "five hours"}


class HeldSkill(Struct, frozen=True):
    """A skill that must be allowed anew."""

    name: str
    path: str
    why: str


def held_skills(board: SkillBoard) -> tuple[HeldSkill, ...]:
    """Each held file, as many as the header counts."""
    names = {skill.path: skill.name for skill in board.found}
    return tuple(HeldSkill(names.get(path, "?"), path, why) for path, why in board.held.items())


def held_lines(row: HeldSkill, keys: Keymap = SHIPPED) -> list[Cell]:
    """Where it is, why it is held, and where it is answered: after all of it was shown."""
    how = keys.told(
        "{go.skills}, then {skill.look}, on the overview shows what changed; no run may use it until you allow it"
    )
    return [
        *_block("skill", (row.name,)),
        *_block("file", (row.path,)),
        *_block("held", (row.why,)),
        *_block("answer", (how,)),
    ]


def question_lines(row: Asked, now_ms: int, zone: tzinfo | None) -> list[Cell]:
    """All that the stored question says, and the mark by which an answer names it."""
    if row.permission is not None:
        return _permission_lines(row, row.permission, now_ms, zone)
    told = row.question
    if told is None:
        unread = span("the stored question cannot be read, so it cannot be answered: withdraw its run", "bad")
        return [unread, *_block("stored", row.task), _stored(row)]
    return [
        *_block(f"run {row.run_id}", (f"{told.agent}, {told.task_type}, asked for by {_asker(told)}",)),
        *_block("task", row.task),
        *_resumed(told),
        *_block("workspace", (row.workspace,)),
        *(_block("runs", (row.argv,)) if row.argv else []),
        *_block("model", (told.model or "the agent's own",)),
        *_block("may write", row.can_write or ("nothing in its workspace",)),
        *_block("prompt has", row.inject or ("no files",)),
        *_block("skills", (told.skills,)),
        *_block("tools", ("the agent's own" if told.tools is None else ", ".join(told.tools) or "none",)),
        *_block("expected", (_expected(told),)),
        *(line for one in told.raises for line in _raise_lines(one, zone)),
        *_asked(row, now_ms, zone),
        _stored(row),
    ]


def _permission_lines(row: Asked, told: Permission, now_ms: int, zone: tzinfo | None) -> list[Cell]:
    """What a live run's program wants to do comes first: it may be long, and the rest is known from the run."""
    where = f", session {told.session_id}" if told.session_id is not None else ""
    return [
        *_block(f"run {row.run_id}", (f"{told.agent}{where}: it runs, and asks before it goes on",)),
        *_block("wants to", (f"use {told.tool}",)),
        *(_block("writes", (row.path,)) if row.path else []),
        *_block("exactly", row.wants),
        *_block("workspace", (row.workspace,)),
        *_block("task", row.task),
        *_asked(row, now_ms, zone),
        _stored(row),
    ]


def _asked(row: Asked, now_ms: int, zone: tzinfo | None) -> list[Cell]:
    return _block("asked", (f"{ago(row.asked_ms, now_ms)}, expires {due(row.expires_ms, now_ms, zone)}",))


def asks_for(row: Asked) -> str:
    """What answering is about, in one line."""
    if row.permission is None:
        return " ".join(row.task) or "-"
    first = next((line.strip() for line in row.wants if line.strip()), "")
    return clean(f"{row.permission.tool} {first}".strip(), _SHORT)


def decision(row: Asked, approve: bool, zone: tzinfo | None = None) -> DecisionAsked:
    """What is to be confirmed before the answer goes to the engine."""
    if row.permission is not None:
        title = f"{'Allow' if approve else 'Deny'} run {row.run_id} to use {row.permission.tool}?"
        said = f"run {row.run_id} {'may do that' if approve else 'is told no, and goes on'}"
    else:
        title = f"{'Approve' if approve else 'Deny'} run {row.run_id}?"
        said = f"run {row.run_id} is {'approved' if approve else 'denied'}"
    return DecisionAsked(row.id, approve, row.sha256, title, consequences(row, approve, zone), said)


def consequences(row: Asked, approve: bool, zone: tzinfo | None = None) -> tuple[str, ...]:
    """What an answer does, line by line, for the dialog that asks."""
    mark = f"question {row.id}, sha256 {row.sha256[:HASH_SHOWN]}"
    if row.permission is not None:
        then = "It does what was shown, this once." if approve else "It is told no, and goes on without it."
        return (asks_for(row), then, mark)
    if not approve or row.question is None:
        return ("It is refused; nothing was spent.", mark)
    granted = (f"Budget {one.budget}: {_granted(one, zone)}." for one in row.question.raises)
    return (*granted, "The run starts when all else fits.", mark)


def _asker(told: Question) -> str:
    return f"{told.trigger}, job {told.job}" if told.job else told.trigger


def _resumed(told: Question) -> list[Cell]:
    return [] if told.resumes_run_id is None else _block("goes on", (f"with run {told.resumes_run_id}",))


def _expected(told: Question) -> str:
    said = f"{plural(told.likely_tokens, 'token')} likely, at most {told.high_tokens:,}"
    if told.high_microusd is None:
        return f"{said}; what that costs is not known: no price for its model"
    return f"{said}, for at most {amount_in_full('microusd', told.high_microusd)}"


def _raise_lines(one: Raise, zone: tzinfo | None) -> list[Cell]:
    amounts = (one.taken, one.need, one.limit)
    taken, need, limit = (amount_in_full(one.unit, number, *amounts) for number in amounts)
    said = f"{one.budget}: {taken} taken + {need} needed of {limit}{_window(one, zone)}"
    return _block("budget", (said, _granted(one, zone)))


def _window(one: Raise, zone: tzinfo | None) -> str:
    if one.window == "run":
        return " per run"
    return f" in the {_WINDOWS.get(one.window, one.window)} since {stamp(one.window_start_ms, zone)}"


def _granted(one: Raise, zone: tzinfo | None) -> str:
    """What approving grants, and for how long."""
    where = "for this run alone" if one.window == "run" else f"until its window ends, {stamp(one.window_end_ms, zone)}"
    more = amount_in_full(one.unit, one.amount)
    then = amount_in_full(one.unit, one.limit + one.amount, one.limit)
    return f"approving raises it by {more} to {then}, {where}"


def lacks(told: Question) -> str:
    """How much each budget would have to be raised, for a cell."""
    return ", ".join(f"{one.budget} {amount(one.unit, one.amount)}" for one in told.raises)


def _stored(row: Asked) -> Cell:
    return (("stored     ", "dim"), (f"{row.length:,} bytes, sha256 {row.sha256[:HASH_SHOWN]}", "text"))


def _block(name: str, lines: Sequence[str]) -> list[Cell]:
    """A fact of one line or several; the name stands before the first."""
    return [
        ((f"{'' if number else name:<{_INDENT}}", "dim"), (line, "text")) for number, line in enumerate(lines or ("-",))
    ]
