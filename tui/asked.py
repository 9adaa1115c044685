"""What waits for the operator's word? Questions as they are stored, and skills beside what was allowed of them.

What is shown is what is answered: a question goes back with the hash of the stored value that was shown, a skill with
that of the file as it was read for the page.
"""

import hashlib
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
    can_write: tuple[str, ...]
    """All of them, whole and cleaned."""
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
        can_write=tuple(" ".join(clean_whole(path)) for path in told.can_write) if told else (),
        asked_ms=row.asked_ms,
        expires_ms=row.expires_ms,
        sha256=hashlib.sha256(stored).hexdigest(),
        length=len(stored),
    )


def skill_page(name: str, path: str, why: str) -> Callable[["Reading"], "SkillPage | Gone"]:
    """Reads the file, so it belongs in the feed's thread."""

    def read(reading: "Reading") -> "SkillPage | Gone":
        from engine.context.held import changes
        from engine.context.skills import read_skill
        from tui.views import Gone

        try:
            text, sha256 = read_skill(path)
        except QuarterdeckError as error:
            return Gone(clean(error.line))
        known = {pin.path: pin.text for pin in skills.pins(reading.connection) if pin.name == name}
        before = known.get(path, next(iter(known.values()), None))
        return SkillPage(
            name=name,
            path=path,
            why=why,
            sha256=sha256,
            changes=() if before is None else tuple(_lines(changes(before, text))),
            text=tuple(clean_whole(text)),
        )

    return read


def _lines(diff: list[str]) -> list[str]:
    return [whole for line in diff for whole in clean_whole(line)]
