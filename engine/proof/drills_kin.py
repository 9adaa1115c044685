"""May a run have more done than it may do itself, by asking the engine for it?"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from engine.contract.orders import Decide, Nothing, RunRequest, StopRun
from engine.proof.desk import NotTripped, Site, need
from engine.proof.drills_room import HOLD
from engine.proof.trip import REFUSED, Drill, Found, admitted, ran_well, refused
from engine.runtime.gate import RunAnswer
from state.errors import Refused

_OWN = "a run may only ask for runs of its own"
_TOOLS = ("read", "search")


def looser(words: str, own: dict[str, Any], child: dict[str, Any]) -> Callable[[Site], Found]:
    """A live run is held by this; a child that is held looser is refused, and one that is held alike runs."""

    def trip(site: Site) -> Found:
        parent = admitted(site, site.request(HOLD, **own)).run
        found = refused(site, "parent", words, site.request(parent_run_id=parent, **own | child))
        alike = ran_well(site, admitted(site, site.request(parent_run_id=parent, **own)).run)
        (site.folder / "go").touch()
        ran_well(site, parent)
        return Found(found.stopped_by, (*found.evidence, f"control: held as its parent, {alike}"))

    return trip


def _orders(site: Site) -> Found:
    """What it leaves in its own spool, where it is known who asks."""
    other, run = (admitted(site, site.request(HOLD)).run for _ in range(2))
    site.until(lambda: site.started(other) and site.started(run), "both programs are there")
    said = {
        "to stop another run": _refusal(site, run, "stop", StopRun(other)),
        "to answer a question": _refusal(site, run, "decide", Decide(1, True, "")),
        "to end the engine": _refusal(site, run, "shutdown", Nothing()),
        "a run elsewhere": _refusal(site, run, "run", _elsewhere(site)),
    }
    need(site.run(other).live, f"run {other} is ended, which run {run} may not end")
    asked = msgspec.json.decode(site.desk.order("run", site.request(), run_id=run), type=RunAnswer)
    own = ran_well(site, asked.run)
    need(site.run(asked.run).parent_run_id == run, f"run {asked.run} is not known as asked for by run {run}")
    (site.folder / "go").touch()
    for one in (other, run):
        ran_well(site, one)
    evidence = tuple(f"{what}: {words}" for what, words in said.items())
    return Found(_OWN, (*evidence, f"control: asked for by run {run}, {own}"))


def _elsewhere(site: Site) -> RunRequest:
    return msgspec.structs.replace(site.request(), workspace=str(Path("/")))


def _refusal(site: Site, run: int, kind: str, body: object) -> str:
    """Why this order of a run was refused. Raises NotTripped when it was carried out."""
    try:
        site.desk.order(kind, body, run_id=run)
    except Refused as error:
        return str(error)
    raise NotTripped(f"run {run} ordered '{kind}', which was carried out")


DRILLS = (
    Drill(
        "parent.tools",
        ("parent",),
        "a run with the tools read and search asks for one that may write, too",
        REFUSED,
        looser("it would have the tool write", {"tools": _TOOLS}, {"tools": (*_TOOLS, "write")}),
    ),
    Drill(
        "parent.permissions",
        ("parent",),
        "a run that must ask the operator asks for one that need not",
        REFUSED,
        looser("permissions = allow", {"permissions": "ask"}, {"permissions": "allow"}),
    ),
    Drill(
        "parent.read",
        ("parent",),
        "a run that reads strictly asks for one that reads all",
        REFUSED,
        looser("read = open", {"read": "strict"}, {"read": "open"}),
    ),
    Drill(
        "orders",
        ("orders",),
        "a run orders more than runs of its own: the end of another run or of the engine, an answer, a run elsewhere",
        "each refused; what it may ask for is done",
        _orders,
    ),
)
