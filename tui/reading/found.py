"""Which runs of all that there are does a filter leave? The list shows the newest; what is older is found by asking."""

from collections.abc import Callable
from itertools import islice
from typing import cast

from msgspec import Struct

from state import run_search
from state.run_search import RunText
from state.runs import Run
from tui.clean import clean_record
from tui.lists.sift import sieve
from tui.reading.run_asked import asked_for, with_task
from tui.reading.snapshot import Reading

RUNS_SHOWN = 500
"""Runs that are listed by themselves."""
FOUND_MOST = 1_000


class Found(Struct, frozen=True):
    """What one filter has found."""

    text: str
    runs: tuple[Run, ...]
    more: bool
    """There are older ones too."""


def found_runs(text: str, most: int = FOUND_MOST) -> Callable[[Reading], Found]:
    def read(reading: Reading) -> Found:
        wanted = sieve(text)
        told = run_search.texts(reading.connection)
        ids = [one.id for one in islice((one for one in told if wanted.lets_through(run_words(one))), most + 1)]
        runs = run_search.of_ids(reading.connection, ids[:most])
        return Found(text, tuple(clean_record(with_task(run)) for run in runs), len(ids) > most)

    return read


def run_words(run: Run | RunText) -> str:
    """What a filter looks in, of a listed run as of any other: in lower case, a line for each thing."""
    reuse, state = (run.reuse_reason or "").replace("_", " "), (run.outcome or run.state).replace("_", " ")
    waits = f"waits {run.waits_for}" if run.state == "waiting" else ""
    said = (
        run.id,
        state,
        run.task or asked_for(cast("Run", run)),
        run.agent,
        run.job or "",
        run.trigger,
        run.model or "",
        reuse,
    )
    more = (run.template or "", run.task_type, run.lane, run.workspace, waits)
    return "\n".join(map(str, (*said, *more))).casefold()
