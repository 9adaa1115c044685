"""Write docs/*.svg: what `qd demo` shows, the real console over a real engine on a throw-away home."""

import asyncio
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.pilot import Pilot

ROOT = Path(__file__).resolve().parents[1]
SIZE = (120, 34)
PATIENCE_S = 120.0


def main() -> None:
    """Play the demo, go from screen to screen, and keep what each shows."""
    os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor", "TZ": "UTC", "LANG": "C.UTF-8"})
    socket.gethostname = lambda: "build-7"
    from tui.demo.staging import staged

    with staged() as stage:
        asyncio.run(_shoot(stage.home))


async def _shoot(home: Any) -> None:
    from tui.demo.console import DemoConsole
    from tui.options import Flags

    app = DemoConsole(home, flags=Flags(theme="dark"))
    async with app.run_test(size=SIZE) as pilot:
        await _until(lambda: _lived(app), "everything has happened once")
        await pilot.pause()
        _keep(app, "overview")
        await _session(app, pilot)
        await _run(app, pilot)
        await _spawn(app, pilot)


async def _session(app: Any, pilot: "Pilot[Any]") -> None:
    from tui.panes.messages import SessionOpened

    row = next(row for row in _board(app) if (row.title or "").startswith("vendor survey"))
    app.post_message(SessionOpened(row.id))
    await _until(lambda: "responses" in _shown(app), "the session is open")
    await pilot.pause(1)
    _keep(app, "session")
    await pilot.press("escape")


async def _run(app: Any, pilot: "Pilot[Any]") -> None:
    from tui.panes.messages import RunOpened
    from tui.reading.changes import RunsChanged

    rows = app.latest[RunsChanged].rows
    done = next(row for row in rows if row.outcome == "succeeded" and row.agent == "coder")
    app.post_message(RunOpened(done.id))
    await _until(lambda: "succeeded" in _shown(app), "the run is open")
    await pilot.pause(1)
    _keep(app, "run")
    await pilot.press("escape")


async def _spawn(app: Any, pilot: "Pilot[Any]") -> None:
    await _until(lambda: len(app.screen_stack) == 1, "the overview is back")
    await pilot.press("s")
    await _until(lambda: "Spawn a subagent" in _shown(app), "the sheet is open")
    await pilot.press(
        *(_key(char) for char in "what is open in hall two?"), "tab", *(_key(char) for char in "status.md")
    )
    await _until(lambda: "every check passes" in _shown(app), "the verdict is there")
    _keep(app, "spawn")


def _key(char: str) -> str:
    return {" ": "space", "?": "question_mark", ".": "full_stop"}.get(char, char)


def _lived(app: Any) -> bool:
    """Whether a job has fired a few times, a skill is held, a question waits, and a run of ours has ended."""
    from tui.reading.changes import InboxChanged, JobsChanged, RunsChanged, SkillsChanged

    told = app.latest
    if not {InboxChanged, JobsChanged, RunsChanged, SkillsChanged} <= told.keys():
        return False
    fired = any(len(row.slots) > 3 for row in told[JobsChanged].rows)
    ended = any(row.outcome == "succeeded" and row.agent == "coder" for row in told[RunsChanged].rows)
    return fired and ended and bool(told[SkillsChanged].board.held) and bool(told[InboxChanged].rows)


def _board(app: Any) -> Any:
    from tui.reading.changes import SessionsChanged

    return app.latest[SessionsChanged].board.rows


def _shown(app: Any) -> str:
    """The screen as text."""
    return "\n".join("".join(part.text for part in strip) for strip in app.screen._compositor.render_strips())


def _keep(app: Any, name: str) -> None:
    svg = app.export_screenshot(title="qd demo")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # whoever looks at it should fetch nothing
    svg = re.sub(r"quarterdeck-demo-\w{8}", "quarterdeck-demo-00000000", svg)
    (ROOT / "docs" / f"{name}.svg").write_text(svg, encoding="utf-8")


async def _until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain until {what}")
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
