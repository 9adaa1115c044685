"""Does every guard trip here and now? Each is offended in a throw-away workspace, by real runs of a real engine.

The drills share one desk, several at a time; one that changes what all runs share has a desk to itself.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from engine.proof import (
    drills_budgets,
    drills_ends,
    drills_kin,
    drills_prompt,
    drills_room,
    drills_runs,
    drills_walls,
    drills_windows,
)
from engine.proof.desk import Desk, Site
from engine.proof.trip import Drill, Found, Proof
from state.errors import NotFound, QuarterdeckError

AT_ONCE = 8
"""Drills mostly wait for an engine; so many keep it busy."""
SHARED = {
    "top": 'timezone = "UTC"\n',
    "engine": "[engine]\nmax_runs = 100\n",
    "limits": '[limits]\ngrace = "500ms"\ndepth = 1\nchildren = 2\n',
    "waiting": '[waiting]\napproval = "5m"\nroom = "5m"\n',
    "command": "[adapter.command]\noutput_tokens = 100\n",
    "codex": f'[adapter.codex]\nprogram = "{drills_ends.ABSENT}"\n',
    "price": f'[prices."{drills_prompt.PRICED}"]\ninput = 1.0\noutput = 1.0\n',
}
"""The configuration of every desk, beside what its drills add. One token costs one micro-dollar."""

ALL: tuple[Drill, ...] = (
    *drills_prompt.DRILLS,
    *drills_room.DRILLS,
    *drills_budgets.DRILLS,
    *drills_windows.DRILLS,
    *drills_runs.DRILLS,
    *drills_ends.DRILLS,
    *drills_walls.DRILLS,
    *drills_kin.DRILLS,
)

_SLOW = (*drills_runs.DRILLS, *drills_ends.DRILLS, *drills_walls.DRILLS, *drills_kin.DRILLS)


def _by_guard() -> dict[str, tuple[Drill, ...]]:
    guards = dict.fromkeys(chain.from_iterable(drill.proves for drill in ALL))
    return {guard: tuple(drill for drill in ALL if guard in drill.proves) for guard in guards}


DRILLS = _by_guard()
"""By the guard that they prove: a check, a budget's action, window or unit, an outcome, what holds a live run."""


def chosen(names: Sequence[str]) -> tuple[Drill, ...]:
    """The drills of these guards, or of these names, in the order of the table; all without one. Raises NotFound."""
    for name in names:
        if name not in DRILLS and all(drill.name != name for drill in ALL):
            raise NotFound(f"there is no guard '{name}'", f"known: {', '.join(DRILLS)}")
    return tuple(drill for drill in ALL if not names or {drill.name, *drill.proves} & set(names))


class Session:
    """A temporary folder with its desks, as a context: whatever happens, no process of it is left."""

    def __init__(self, *, keep: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="quarterdeck-drill-")).resolve()
        self._keep = keep
        self._desks: list[Desk] = []
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="drill")

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        for desk in self._desks:
            desk.closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for desk in self._desks:
            desk.close()
        if not self._keep:
            shutil.rmtree(self.folder)

    def run(self, drills: Sequence[Drill]) -> Iterator[Proof]:
        """The proofs in the order of the drills, each as soon as it and those before it are there.

        Raises EngineUnavailable when no engine comes up.
        """
        shared = [drill for drill in drills if not drill.apart]
        under_way = {
            drill.name: self._pool.submit(_alone, self._desk([drill], drill.name), drill)
            for drill in drills
            if drill.apart
        }
        if shared:
            desk = self._desk(shared, "shared")
            desk.open()
            for drill in sorted(shared, key=lambda drill: drill not in _SLOW):  # those wait the most
                under_way[drill.name] = self._pool.submit(_prove, desk, drill)
        for drill in drills:
            yield under_way[drill.name].result()

    def _desk(self, drills: Sequence[Drill], name: str) -> Desk:
        parts = dict(SHARED)
        for drill in drills:
            parts |= {drill.name: drill.config} | drill.replaces
        self._desks.append(Desk(self.folder / name, parts))
        return self._desks[-1]


def _alone(desk: Desk, drill: Drill) -> Proof:
    desk.open()
    return _prove(desk, drill)


def _prove(desk: Desk, drill: Drill) -> Proof:
    begun = time.monotonic()
    found, instead = Found("", ()), ""
    try:
        with desk.reader() as books:
            found = drill.trip(Site(desk, drill.name, books))
    except QuarterdeckError as error:
        instead = error.line
    return Proof(
        name=drill.name,
        guard=drill.proves[0],
        proves=drill.proves,
        tried=drill.tried,
        expected=drill.expected,
        stopped_by=found.stopped_by,
        evidence=found.evidence,
        passed=not instead,
        seconds=round(time.monotonic() - begun, 3),
        instead=instead,
    )
