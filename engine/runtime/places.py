"""Where does the output of a run lie? In its own folder, or from some point on in that of the program that is held for
several runs; a file in its own then says where."""

from pathlib import Path

import msgspec

from engine.adapters.registry import adapter
from engine.contract.orders import RunRequest
from engine.contract.route import Route
from state import runs
from state.files import write_private
from state.home import Home

POINTER = "client"
"""The folder in which the output is, and how far into it this run begins, a line each."""


def is_held(route: Route) -> bool:
    """Whether its program is kept after its answer. In the isolated lane there is no next turn."""
    return route.linger_s > 0 and route.lane == "main" and adapter(route.adapter).speech is not None


def is_attached(run: runs.Run) -> bool:
    """Whether its program has the operator's terminal: then it tells us nothing but by its client's log."""
    return run.request is not None and msgspec.json.decode(run.request, type=RunRequest).attach


def spoken_to(home: Home, run: runs.Run) -> Path:
    """The folder in which the program of this run takes its input, and puts its output."""
    return home.run_folder(run.client_id or run.id)


def start_of(home: Home, run: runs.Run) -> int:
    """Where in that output it begins."""
    if run.client_id is None:
        return 0
    try:
        return int((home.run_folder(run.id) / POINTER).read_text().split("\n")[1])
    except (OSError, ValueError, IndexError):
        return 0


def told_ms(home: Home, run: runs.Run) -> int | None:
    """When it was about to be told what to do in a program that is held; None when that is not known."""
    try:
        return (home.run_folder(run.id) / POINTER).stat().st_mtime_ns // 1_000_000
    except OSError:
        return None


def point_to(folder: Path, client: Path, offset: int) -> None:
    """Leave the pointer in the folder of a run. Raises OSError."""
    write_private(folder / POINTER, f"{client}\n{offset}\n".encode())
