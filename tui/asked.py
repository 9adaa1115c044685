"""What waits for the operator's word? Questions as they are stored, and skills beside what was allowed of them.

What is shown is what is answered: a question goes back with the hash of the stored value that was shown, a skill with
that of the file as it was read for the page.
"""

import hashlib
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import DecodeError, Struct

from state import approvals, skills
from state.errors import QuarterdeckError
from tui.clean import clean, clean_record, clean_whole

if TYPE_CHECKING:
    from engine.runtime.questions import Question
    from tui.views import Gone, Reading

HASH_SHOWN = 12


class Asked(Struct, frozen=True):
    """One open question, from its stored value alone."""

    id: int
    run_id: int
    question: "Question | None"
    """Cleaned; None when the stored value cannot be read: then it cannot be approved either."""
    task: tuple[str, ...]
    """All of it, line by line, cleaned."""
    workspace: str
    """Whole and cleaned, like all that is told apart below."""
    argv: str
    """As a shell would be given it; empty where the agent has its own."""
    inject: tuple[str, ...]
    can_write: tuple[str, ...]
    asked_ms: int
    expires_ms: int
    sha256: str
    """Of the stored value."""
    length: int
    """Of the stored value, in bytes."""


class SkillPage(Struct, frozen=True):
    """A skill as it is now, beside what was allowed of it."""

    name: str
    path: str
    why: str
    """Why it must be allowed anew; empty when it need not."""
    sha256: str
    changes: tuple[str, ...]
    """The difference to what was allowed, cleaned; empty when nothing of this file was."""
    text: tuple[str, ...]
    """All of it, cleaned."""
    others: tuple[str, ...] = ()
    """Other files of this name that are held, too: allowing this one leaves them as they are."""


def inbox(reading: "Reading") -> tuple[Asked, ...]:
    """Every open question, oldest first."""
    return tuple(_asked(row) for row in approvals.pending(reading.connection))


def _asked(row: approvals.Approval) -> Asked:
    from engine.runtime.questions import read_question

    stored = row.what.encode()
    try:
        told = read_question(row.what)
    except (DecodeError, UnicodeError):
        told = None
    return Asked(
        id=row.id,
        run_id=row.run_id,
        question=None if told is None else clean_record(told),
        task=tuple(clean_whole(told.task)) if told else tuple(clean_whole(row.what)),
        workspace=_whole(told.workspace) if told else "",
        argv=shlex.join(map(_whole, told.argv)) if told else "",
        inject=tuple(map(_whole, told.inject)) if told else (),
        can_write=tuple(map(_whole, told.can_write)) if told else (),
        asked_ms=row.asked_ms,
        expires_ms=row.expires_ms,
        sha256=hashlib.sha256(stored).hexdigest(),
        length=len(stored),
    )


def _whole(text: str) -> str:
    """One line of all of it; what an eye would miss, breaks of lines too, is spelled out."""
    from engine.context.held import visible

    line = visible(text)
    return clean(line, max(1, len(line)))


def skill_page(name: str, path: str, why: str) -> Callable[["Reading"], "SkillPage | Gone"]:
    """Reads the file, so it belongs in the feed's thread."""

    def read(reading: "Reading") -> "SkillPage | Gone":
        from engine.context.held import changes
        from engine.context.skills import read_skill
        from tui.views import Gone, held_skills

        try:
            text, sha256 = read_skill(path)
        except QuarterdeckError as error:
            return Gone(clean(error.line))
        pins, found = skills.pins(reading.connection), skills.found(reading.connection)
        known = {pin.path: pin.text for pin in pins if pin.name == name}
        paths = {clean(skill.path) for skill in found if clean(skill.name) == name}
        before = known.get(path, next(iter(known.values()), None))
        return SkillPage(
            name=name,
            path=path,
            why=why,
            sha256=sha256,
            changes=() if before is None else tuple(_lines(changes(before, text))),
            text=tuple(clean_whole(text)),
            others=tuple(sorted(held for held in held_skills(found, pins) if held in paths and held != path)),
        )

    return read


def _lines(diff: list[str]) -> list[str]:
    return [whole for line in diff for whole in clean_whole(line)]
