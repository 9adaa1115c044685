"""What of a thing can be copied, and which of it is meant by the key? The most useful first; again: the next."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from tui.panes.messages import CopyAsked

if TYPE_CHECKING:
    from tui.reading.details import RunDetail, SessionDetail

Copies = Sequence[tuple[str, str]]
"""What each is called, and the text."""


class Copying:
    """Goes through the texts of one thing for as long as the key is pressed on that."""

    def __init__(self) -> None:
        self._of: Hashable = None
        self._number = 0

    def next(self, of: Hashable, found: Copies) -> CopyAsked:
        number = self._number % len(found) if of == self._of else 0
        self._of, self._number = of, number + 1
        what, text = found[number]
        return CopyAsked(what, text, found[(number + 1) % len(found)][0] if len(found) > 1 else "")


def of_run(detail: "RunDetail") -> Copies:
    """Of a run's page: what it said, its verdict, and what names it."""
    run, verdict = detail.run, detail.verdict
    said = [f"{'ok' if check.ok else 'NO'} {check.name}: {check.why}" for check in verdict.checks] if verdict else []
    texts = (
        ("the output", "\n".join(detail.tail)),
        ("the verdict", "\n".join(said)),
        ("run id", str(run.id)),
        ("what was asked", run.task),
        ("workspace", run.workspace),
    )
    return tuple((what, text) for what, text in texts if text)


def of_session(detail: "SessionDetail") -> Copies:
    """Of a session's page: what names it here and at its provider."""
    session = detail.session
    now = next((one for one in detail.generations if one.id == session.generation_id), None)
    texts = (
        ("session id", str(session.id)),
        ("the conversation's id at its provider", now.provider_id if now else None),
        ("title", session.title),
        ("workspace", session.workspace),
    )
    return tuple((what, text) for what, text in texts if text)
