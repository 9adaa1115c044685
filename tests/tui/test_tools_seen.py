"""The tools of a run that has ended, read from what a real program put out."""

import shutil
from pathlib import Path

import pytest

from state import runs
from tui.reading import tools_seen
from tui.reading.tools_seen import ToolSeen

RECORDED = Path(__file__).parents[1] / "data" / "agents" / "claude"


@pytest.fixture
def ran(world):
    def make(recording, **fields):
        told = {"adapter": "claude_code", "state": "settled", "outcome": "succeeded"} | fields
        run_id = world.run(**told)
        folder = world.home.run_folder(run_id)
        folder.mkdir(parents=True)
        if recording:
            shutil.copy(RECORDED / recording, folder / "stdout.log")
        return runs.get(world.open().connection, run_id)

    return make


@pytest.mark.parametrize(
    ("recording", "tools"), [("tool-write.jsonl", [("Write", True)]), ("tool-bash-denied.jsonl", [("Bash", False)])]
)
def test_each_use_is_told_with_what_became_of_it(world, ran, recording, tools):
    found = tools_seen.tools_seen(world.home, ran(recording))
    assert found is not None
    assert [(one.tool, one.ok) for one in found] == tools
    assert all(isinstance(one, ToolSeen) and one.what for one in found)


def test_it_is_not_known_of_a_live_run_without_output_or_of_one_that_is_too_long(world, ran, monkeypatch):
    assert tools_seen.tools_seen(world.home, ran("tool-write.jsonl", state="running", outcome=None)) is None
    assert tools_seen.tools_seen(world.home, ran(None)) is None
    monkeypatch.setattr(tools_seen, "MOST_BYTES", 10)
    assert tools_seen.tools_seen(world.home, ran("tool-write.jsonl")) is None
