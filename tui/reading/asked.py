"""What waits for the operator's word? Questions as they are stored.

What is shown is what is answered: a question goes back with the hash of the stored value that was shown.
"""

import hashlib
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from msgspec import DecodeError, Struct

from state import approvals
from tui.clean import clean, clean_record, clean_whole
from tui.reading.snapshot import Reading

if TYPE_CHECKING:
    from engine.runtime.questions import Permission, Question

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


def inbox(reading: Reading) -> tuple[Asked, ...]:
    """Every open question, oldest first."""
    return tuple(asked_of(row) for row in approvals.pending(reading.connection))


def asked_of_run(reading: Reading, run_id: int) -> tuple[Asked, ...]:
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
