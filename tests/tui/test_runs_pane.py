"""What does a list of runs say of each?"""

import json

import pytest

from state import runs
from state.database import open_reader
from tui.reading.run_asked import asked_for


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"task": "mend it", "request": json.dumps({"argv": ["true"]})}, "mend it"),
        ({"request": json.dumps({"argv": ["sh", "-c", "echo 'a b'"]})}, """sh -c 'echo '"'"'a b'"'"''"""),
        ({"template": "tidy", "job": "nightly"}, "tidy"),
        ({"job": "nightly"}, "job nightly"),
        ({}, "its agent's own program"),
        ({"request": None}, "its agent's own program"),
        ({"request": "no json"}, "its agent's own program"),
    ],
)
def test_a_run_is_listed_by_what_it_was_asked_never_by_what_it_said(world, fields, said):
    run_id = world.run(**{"task": "", "summary": "5 files", "why": "exit code 1"} | fields)
    connection = open_reader(world.home)
    assert asked_for(runs.get(connection, run_id)) == said
    connection.close()


def test_the_list_shows_the_program_of_a_run_without_a_task(filled, drive):
    """Wherever in a long request it stands."""
    request = json.dumps({"workspace": "/w" * 300, "argv": ["wc", "-l", "notes\x1b[2J.md"]})
    filled.run(task="", summary="5 files", request=request)

    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("5")
        await pilot.sees("what was asked", "wc -l 'notes\ufffd[2J.md'")
        assert "5 files" not in pilot.shown()

    drive(filled.home, scenario)
