"""What waits for the operator's word? Questions as they are stored, and skills beside what was allowed of them.

What is shown is what is answered: a question goes back with the hash of the stored value that was shown, a skill with
that of the file as it was read for the page.
"""

import hashlib
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from msgspec import DecodeError, Struct

from state import approvals, runs, skills
from state.errors import QuarterdeckError
from tui.clean import clean, clean_record, clean_whole

if TYPE_CHECKING:
    from engine.runtime.questions import Permission, Question
    from tui.views import Gone, Reading

HASH_SHOWN = 12

Told = TypeVar("Told")


class Asked(Struct, frozen=True):
    """One open question, from its stored value alone."""

    id: int
    run_id: int
    question: "Question | None"
    """Cleaned; None when it is no such question, or cannot be read."""
    permission: "Permission | None"
    """The same of what a live run's program asks."""
    task: tuple[str, ...]
    """All of it, line by line, cleaned."""
    workspace: str
    """Whole and cleaned, like all that is told apart below."""
    argv: str
    """As a shell would be given it; empty where the agent has its own."""
    wants: tuple[str, ...]
    """All that a live run's program wants to do, line by line."""
    path: str
    """The one file that it wants to write; empty where it is not that."""
    inject: tuple[str, ...]
    can_write: tuple[str, ...]
    asked_ms: int
    expires_ms: int
    sha256: str
    """Of the stored value."""
    length: int
    """Of the stored value, in bytes."""

    @property
    def readable(self) -> bool:
        """What cannot be read cannot be approved either."""
        return self.question is not None or self.permission is not None


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
    return tuple(asked_of(row) for row in approvals.pending(reading.connection))


def asking_sessions(reading: "Reading") -> frozenset[int]:
    """Those whose live run waits for an answer."""
    asked = [row.run_id for row in approvals.pending(reading.connection) if row.kind == "permission"]
    sessions = (runs.get(reading.connection, run_id).session_id for run_id in asked)
    return frozenset(session for session in sessions if session is not None)


def asked_of_run(reading: "Reading", run_id: int) -> tuple[Asked, ...]:
    """What a live run's program asks now."""
    found = approvals.permissions(reading.connection, run_id)
    return tuple(asked_of(row) for row in found if row.state == "open")


def asked_of(row: approvals.Approval) -> Asked:
    """A question as it is shown, of whichever kind."""
    from engine.runtime.questions import read_permission, read_question

    permission = _decoded(read_permission, row.what) if row.kind == "permission" else None
    told = _decoded(read_question, row.what) if row.kind == "budget" else None
    known: Question | Permission | None = told or permission
    stored = row.what.encode()
    return Asked(
        id=row.id,
        run_id=row.run_id,
        question=None if told is None else clean_record(told),
        permission=None if permission is None else clean_record(permission),
        task=tuple(clean_whole(row.what if known is None else known.task)),
        workspace=_whole(known.workspace) if known else "",
        argv=shlex.join(map(_whole, told.argv)) if told else "",
        wants=tuple(clean_whole(permission.what)) if permission else (),
        path=_whole(permission.path or "") if permission else "",
        inject=tuple(map(_whole, told.inject)) if told else (),
        can_write=tuple(map(_whole, told.can_write)) if told else (),
        asked_ms=row.asked_ms,
        expires_ms=row.expires_ms,
        sha256=hashlib.sha256(stored).hexdigest(),
        length=len(stored),
    )


def _decoded(read: Callable[[str], Told], text: str) -> Told | None:
    try:
        return read(text)
    except (DecodeError, UnicodeError):
        return None


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
