"""Does every guard have a drill, and does a drill say so when its guard is not connected?"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from engine.config.model import Budget, Unit, Window
from engine.contract.outcome import Outcome
from engine.contract.verdict import CHECKS
from engine.proof.drill import ALL, DRILLS, chosen
from state.errors import NotFound

ROOT = Path(__file__).resolve().parents[3]
ACTIONS = get_args(get_type_hints(Budget)["action"])
NOT_GUARDS = {"succeeded", "failed", "could_not_start", "interrupted"}
"""Outcomes that are nothing's doing but the run's own, or the machine's."""
LIVE = ("stop", "orphan", "fallback", "sandbox", "permission", "secret", "orders")
"""What holds a live run, or has its work done all the same."""


@pytest.mark.parametrize(
    "guard", [*CHECKS, *ACTIONS, *get_args(Window), *get_args(Unit), "violation", "claim", "observed", *LIVE]
)
def test_every_guard_has_a_drill(guard):
    assert DRILLS[guard]


@pytest.mark.parametrize("outcome", sorted(set(get_args(Outcome)) - NOT_GUARDS))
def test_every_outcome_that_we_bring_about_has_a_drill(outcome):
    assert DRILLS[outcome]


@pytest.mark.parametrize("unit", get_args(Unit))
@pytest.mark.parametrize("window", get_args(Window))
def test_every_window_has_a_drill_in_every_unit(window, unit):
    assert [drill for drill in DRILLS[window] if unit in drill.proves]


def test_no_two_drills_share_a_name_and_none_is_called_like_a_guard_of_others():
    names = [drill.name for drill in ALL]
    assert len(set(names)) == len(names)
    assert all(name not in DRILLS or {drill.proves[0] for drill in DRILLS[name]} >= {name} for name in names)


def test_the_page_has_a_row_for_every_drill_and_no_other():
    rows = [line for line in (ROOT / "docs" / "drill.md").read_text().splitlines() if line.startswith("| `")]
    assert rows == [f"| `{one.name}` | {', '.join(one.proves)} | {one.tried} | {one.expected} |" for one in ALL]


def test_drills_are_chosen_by_guard_or_by_name_in_the_order_of_the_table():
    assert chosen(()) == ALL
    assert chosen(("conflict.glob", "depth")) == (*(d for d in ALL if d.name in ("conflict.glob", "depth")),)
    assert chosen(("skills",)) == DRILLS["skills"]


def test_what_is_no_guard_is_named_with_those_that_are():
    with pytest.raises(NotFound) as caught:
        chosen(("skils",))
    assert "'skils'" in str(caught.value)
    assert "skills" in caught.value.fix


def test_the_configuration_of_every_desk_is_one_that_the_engine_takes(tmp_path):
    from engine.config.load import parse
    from engine.proof.drill import SHARED
    from engine.runtime.settings import CHECKS as RULES

    for drills in ([drill for drill in ALL if not drill.apart], *([drill] for drill in ALL if drill.apart)):
        parts = dict(SHARED)
        for drill in drills:
            parts |= {drill.name: drill.config} | drill.replaces
        parse("\n".join(parts.values()), tmp_path / "quarterdeck.toml", RULES)


LOOSE_CHECK = """
def _{name}(*_):
    return Check("{name}", True, "not connected")
"""
LOOSE_WORD = """
async def _always(self, call):
    return True


Client._decide = _always
"""
LOOSE_SILENCE = """
def _deadline_alone(self, now, boottime_s):
    return self._deadline - now, "timed_out", "timed out"


Limits.next = _deadline_alone
"""
LOOSE_ORDERS = """
def check_kind(*_):
    pass


def check_descendant(*_):
    pass
"""
LOOSE = {
    **{name: ("engine/admission/admit.py", LOOSE_CHECK.format(name=name)) for name in CHECKS if name != "budget"},
    "budget": ("engine/admission/admit.py", LOOSE_CHECK.format(name="budget") + "check_budgets = _budget\n"),
    "budget_reached": ("engine/runtime/meter.py", "def keep_within(*_):\n    return True\n"),
    "violation": ("engine/runtime/settling.py", "def _note_changes(*_):\n    return ''\n"),
    "claim": ("engine/execution/follow.py", "async def _end_rest(folder):\n    return 0, ''\n"),
    "cancelled": ("engine/execution/follow.py", "def cancel(alive):\n    return True\n"),
    "crashed": ("engine/execution/keeper.py", "def outcome_of(code):\n    return 'failed', ''\n"),
    "silent": ("engine/execution/limits.py", LOOSE_SILENCE),
    "stop": ("engine/runtime/caps.py", "def reached(*_):\n    return ''\n"),
    "orphan": ("engine/execution/keeper.py", "Keeper._end_rest = lambda self: None\n"),
    "fallback": ("engine/runtime/elsewhere.py", "def refused_elsewhere(*_):\n    return False\n"),
    "sandbox": ("engine/runtime/sandboxing.py", "def confine(*_):\n    return Confinement('off', None, ())\n"),
    "permission": ("engine/runtime/permissions.py", "def decide_asked(*_):\n    return 'allow'\n"),
    "unasked": ("engine/adapters/acp_client/client.py", LOOSE_WORD),
    "orders": ("engine/runtime/own_orders.py", LOOSE_ORDERS),
    "secret": ("engine/runtime/redaction.py", "def redacted(text):\n    return text\n"),
    "patience": ("engine/proof/desk.py", "PATIENCE_S = 6.0\n"),
}
"""By guard: a file of the product, and what is written at its end so that the guard is not connected any more.

What then never comes need not be waited for so long."""


def copy(folder, *loose):
    """The product, with these guards not connected."""
    for room in ("state", "engine", "tui"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for guard in ("patience", *loose):
        name, text = LOOSE[guard]
        with (folder / name).open("a") as file:
            file.write(f"\n\n{text}")
    return folder


def forget_deadlines(folder):
    """The keeper has its program at its end: there is no line after it."""
    path = folder / "engine" / "execution" / "keeper.py"
    text = path.read_text()
    assert text.count("self.started + job.timeout_s") == 1
    path.write_text(text.replace("self.started + job.timeout_s", "self.started + 3600"))


def drilled(root, words, temporary):
    """`qd drill --json` of the product in this folder: its exit code, and what it tells of each drill."""
    temporary.mkdir()
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "HOME": str(temporary), "TMPDIR": str(temporary)}
    env |= {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    command = [sys.executable, "-m", "tui", "drill", "--json", *words]
    done = subprocess.run(command, cwd=temporary, env=env, capture_output=True, text=True, timeout=110, check=False)
    assert not done.stderr, done.stderr
    assert list(temporary.iterdir()) == [], "nothing is left"
    drills = json.loads(done.stdout)["drills"]
    assert all(bool(one["stopped_by"]) == one["passed"] == (not one["instead"]) for one in drills)
    return done.returncode, {one["name"]: one for one in drills}


def split(answer):
    """The names of what failed, and of what tripped."""
    return tuple({name for name, one in answer.items() if one["passed"] is passed} for passed in (False, True))


@pytest.mark.parametrize(
    "guard", ["conflict", "skills", "claim", "violation", "sandbox", "permission", "parent", "orders"]
)
def test_a_guard_that_is_not_connected_is_found_out_and_it_alone(guard, tmp_path):
    root = copy(tmp_path / "copy", guard, *(["unasked"] if guard == "permission" else []))
    code, answer = drilled(root, [guard, "depth"], tmp_path / "temporary")
    failed, tripped = split(answer)
    assert code == 1
    assert failed >= {drill.name for drill in DRILLS[guard] if drill.proves[0] == guard}
    assert "depth" in tripped


TRACES = {
    "it has a folder": "home.run_folder(refused.run_id).mkdir()",
    "it holds a claim": "claims.claim(tx, refused.run_id, 'w', '/', '[]', None, judged.standing.now_ms)",
    "it holds or held a reservation": "ledger.entries.open_one(tx, refused.run_id, 'any', 'tokens', 1, 1, 0)",
}


@pytest.mark.parametrize("trace", TRACES)
def test_a_refusal_that_costs_something_is_found_out(trace, tmp_path):
    root = copy(tmp_path / "copy")
    with (root / "engine" / "runtime" / "admitting.py").open("a") as file:
        file.write(
            "\n\nwhole = act\n\n\n"
            "def act(tx, home, composed, judged, config, run_id):\n"
            "    refused = whole(tx, home, composed, judged, config, run_id)\n"
            "    if refused.launch is None:\n"
            f"        {TRACES[trace]}\n"
            "    return refused\n"
        )
    code, answer = drilled(root, ["timeout.none"], tmp_path / "temporary")
    assert code == 1
    assert trace in answer["timeout.none"]["instead"]


def test_with_nothing_connected_no_drill_passes(tmp_path):
    root = copy(tmp_path / "copy", *(guard for guard in LOOSE if guard != "patience"))
    forget_deadlines(root)
    code, answer = drilled(root, [], tmp_path / "temporary")
    assert code == 1
    assert split(answer) == ({drill.name for drill in ALL}, set())
