"""Which tools did a run use? As its own output tells it, read again once it has ended; when each was used it does not
tell."""

from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from engine.contract.progress import ToolDone, ToolUse
from state.home import Home
from state.runs import Run
from tui.clean import clean

MOST_BYTES = 4 * 1024 * 1024
"""A longer output is not read again: the page must be there at once."""
KEPT = 32
LONGEST = 400


class ToolSeen(Struct, frozen=True):
    """One use of a tool. Cleaned."""

    tool: str
    what: str
    ok: bool | None
    """None where nobody told what became of it."""


def tools_seen(home: Home, run: Run) -> tuple[ToolSeen, ...] | None:
    """In their order; None where that is not known: of a live run, without an output, or of one that is too long."""
    from engine.runtime.places import spoken_to
    from tui.cli.output import STDOUT

    if run.open or run.state == "refused":
        return None
    try:
        info = (spoken_to(home, run) / STDOUT).stat()
    except OSError:
        return None
    return _read(home, run, info.st_mtime_ns) if info.st_size <= MOST_BYTES else None


@lru_cache(maxsize=KEPT)
def _read(home: Home, run: Run, _mtime_ns: int) -> tuple[ToolSeen, ...]:
    from tui.cli.output import Live

    seen: dict[str, ToolSeen] = {}
    for told in Live(home).told(run):
        match told:
            case ToolUse():
                seen[told.id] = ToolSeen(clean(told.tool), clean(told.what.partition("\n")[0], LONGEST), None)
            case ToolDone() if told.id in seen:
                seen[told.id] = replace(seen[told.id], ok=told.ok)
            case _:
                pass
    return tuple(seen.values())
