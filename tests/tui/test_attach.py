"""What is said when a program has given the terminal back?"""

import json

import pytest

from tui.terminal.attach import odd_end

END = {"outcome": "succeeded", "exit_code": 0, "signal": None, "started_ms": 0, "ended_ms": 0, "duration_s": 60.0}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, ""),
        ({"duration_s": 0.4}, ""),
        ({"outcome": "failed", "exit_code": 1}, "claude ended with exit code 1"),
        ({"outcome": "failed", "exit_code": None, "signal": 9}, "claude was ended by signal 9"),
        (
            {"outcome": "could_not_start", "exit_code": None, "why": "/bin/claude: Exec format error"},
            "claude could not be started: /bin/claude: Exec format error",
        ),
    ],
)
def test_an_end_is_odd_when_it_failed(tmp_path, fields, line):
    (tmp_path / "end.json").write_text(json.dumps(END | fields))
    (tmp_path / "launch.json").write_text(json.dumps({"argv": ["/bin/claude", "--resume", "x"], "env": {}}))
    assert odd_end(tmp_path) == line


def test_an_end_that_left_no_record_is_odd(tmp_path):
    assert odd_end(tmp_path) == "it is not known how its program ended"
