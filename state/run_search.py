"""Which runs say a text? All that there are, the newest first, with only as much of each as is looked in."""

from collections.abc import Iterator

from msgspec import Struct

from state.database import Connection, rows
from state.runs import Run

_PART = 5_000
_COLUMNS = (
    "id, task, agent, job, trigger, model, template, task_type, lane, workspace, state, outcome, waits_for,"
    " reuse_reason, iif(task = '', request, NULL) AS request"
)


class RunText(Struct, frozen=True):
    """What of a run can be looked for."""

    id: int
    task: str
    agent: str
    job: str | None
    trigger: str
    model: str | None
    template: str | None
    task_type: str
    lane: str
    workspace: str
    state: str
    outcome: str | None
    waits_for: str | None
    reuse_reason: str | None
    request: str | None
    """What was asked for, as JSON; of a run without a task."""


def texts(connection: Connection) -> Iterator[RunText]:
    """Of every run, the newest first. Read in parts: no transaction stays open between them."""
    sql = f"SELECT {_COLUMNS} FROM runs WHERE id < ? ORDER BY id DESC LIMIT {_PART}"
    before = 1 << 62
    while part := rows(connection, RunText, sql, (before,)):
        yield from part
        before = part[-1].id


def of_ids(connection: Connection, ids: list[int]) -> list[Run]:
    """These runs, the newest first."""
    marks = ", ".join("?" * len(ids))
    return rows(connection, Run, f"SELECT * FROM runs WHERE id IN ({marks}) ORDER BY id DESC", tuple(ids))
