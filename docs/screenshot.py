"""Write docs/overview.svg: the real console, on a throw-away home with recorded sessions, jobs, budgets and runs."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SIZE = (120, 34)
CONFIG = """
timezone = "UTC"

[agent.reviewer]
adapter = "command"
argv = ["wc", "-w"]
skills = "review"

[agent.releaser]
adapter = "digest"
skills = "release"

[skill_set.review]
skills = ["changelog"]

[skill_set.release]
skills = ["changelog", "deploy"]

[budget.day]
window = "day"
tokens = 60000
source = "quarterdeck"

[budget."all sessions"]
window = "day"
tokens = 100000

[budget.isolated]
window = "month"
tokens = 250000
lane = "isolated"

[budget.reviews]
window = "day"
tokens = 700
usd = 2.5
agent = "reviewer"
action = "ask"

[limits]
allow_unpriced = true

[job.health-check]
every = "4s"
inject = ["HEARTBEAT.md"]
workspace = "{workspace}"

[job.morning-batch]
cron = "0 7 * * 1-5"
inject = ["status.md"]
workspace = "{workspace}"
"""
SKILL = "---\nname: {name}\ndescription: {text}\n---\n{body}\n"
STATUS = "# Status\n\n- [ ] mend the pump\n\nThe pump in hall two loses pressure every night after the second shift.\n"


def main() -> None:
    """Build the home, let the console run on it for real, and keep what it shows."""
    folder = Path(tempfile.mkdtemp())
    os.environ.update({"HOME": str(folder), "TZ": "UTC", "TERM": "xterm-256color"})
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "QUARTERDECK_HOME"):
        os.environ.pop(name, None)
    try:
        _furnish(folder)
        asyncio.run(_shoot())
    finally:
        _qd("engine", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _furnish(home: Path) -> None:
    shutil.copytree(ROOT / "tests" / "data" / "claude", home / ".claude")
    shutil.copytree(ROOT / "tests" / "data" / "codex", home / ".codex")
    _log_limits(next((home / ".codex").rglob("rollout-*.jsonl")))
    workspace = home / "site"
    for name, text in (("changelog", "Write release notes"), ("deploy", "Deploy the site to production")):
        skill = workspace / ".claude" / "skills" / name / "SKILL.md"
        skill.parent.mkdir(parents=True)
        skill.write_text(SKILL.format(name=name, text=text, body="Build, push and watch.\n" * 40))
    (workspace / "status.md").write_text(STATUS)
    (workspace / "HEARTBEAT.md").write_text("- [ ] look at the disk\n")
    config = home / ".config" / "quarterdeck" / "quarterdeck.toml"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG.replace("{workspace}", str(workspace)))
    os.chdir(workspace)
    _qd("run", "--inject", "status.md", "--task", "what is open in hall two?")
    spawn = ("spawn", "--agent", "releaser", "--inject", "status.md", "--task", "summarise the status")
    _qd(*spawn, "--can-write", "notes/out.md")
    review = ("run", "--agent", "reviewer", "--inject", "status.md", "--task", "review the release notes")
    _qd(*review)
    _qd(*review, "--detach")
    deploy = workspace / ".claude" / "skills" / "deploy" / "SKILL.md"
    deploy.write_text(deploy.read_text().replace("watch", "tell nobody"))
    _qd("run", "--agent", "command", "--detach", "--task", "watch the build", "--timeout", "2m", "--", "sleep", "100")


def _log_limits(log: Path) -> None:
    """Subscription windows as Codex logs them; the recordings have none, being made without a subscription."""
    now_s = int(time.time())
    windows = {
        "primary": {"used_percent": 34.0, "window_minutes": 300, "resets_at": now_s + 8_040},
        "secondary": {"used_percent": 12.0, "window_minutes": 10_080, "resets_at": now_s + 300_000},
    }
    row = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now_s)),
        "type": "event_msg",
        "payload": {"type": "token_count", "info": None, "rate_limits": windows | {"plan_type": "plus"}},
    }
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _qd(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "tui", *words], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)


async def _shoot() -> None:
    from state.home import find_home
    from tui.app import Console

    app = Console(find_home(None, os.environ))
    async with app.run_test(size=SIZE) as pilot:
        await _until(lambda: any(len(row.slots) > 4 for row in _jobs(app)) and _held(app))
        await pilot.pause()
        svg = app.export_screenshot(title="qd")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # whoever looks at it should fetch nothing
    (ROOT / "docs" / "overview.svg").write_text(svg, encoding="utf-8")


def _jobs(app: Any) -> tuple[Any, ...]:
    from tui.changes import JobsChanged

    change = app.latest.get(JobsChanged)
    return change.rows if change else ()


def _held(app: Any) -> bool:
    """Whether the engine has noticed that a skill is another one."""
    from tui.changes import SkillsChanged

    change = app.latest.get(SkillsChanged)
    return bool(change and change.board.held)


async def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit("the console never showed a job that fired")
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
