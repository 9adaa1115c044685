"""Is the first configuration good as it stands on any machine, and good when its examples are switched on?"""

import re
from pathlib import Path

import pytest

from engine.config.load import parse
from engine.config.starter import Machine, starter
from engine.runtime.settings import CHECKS

PLAIN = Machine({"claude": "/usr/bin/claude"}, ("README.md",), ("review", "tide"), "/home/me/project", "Europe/Berlin")
BARE = Machine({}, (), (), "/", "UTC")
NASTY = Machine(
    {'na"me': 'C:\\Users\\{x}"\n[job.evil]\nevery = "1s"'},
    ('a"b\\c.md', "ünï\x1b[31m.md"),
    ('sk"ill\\', "new\nline", "esc\x1b]0;t\x07", "\u2028", "\x7f"),
    '/home/o"brien\\{workspace}/\n[limits]\x00\x85\udcff ünï',
    "UTC",
)


@pytest.mark.parametrize("machine", [PLAIN, BARE, NASTY])
def test_it_is_good_as_it_stands_and_starts_nothing(machine):
    text = starter(machine)
    config = parse(text, Path("q.toml"), CHECKS)
    assert config.timezone == machine.timezone
    assert (config.job, config.agent, config.skill_set) == ({}, {}, {})
    assert config.budget["day"].tokens == 200_000
    assert text.encode()


@pytest.mark.parametrize("machine", [PLAIN, BARE, NASTY])
def test_its_examples_are_good_when_they_are_switched_on(machine):
    text = re.sub(r"^# (\[|\w+ = )", r"\1", starter(machine), flags=re.MULTILINE)
    config = parse(text, Path("q.toml"), CHECKS)
    workspace = machine.workspace.encode("utf-8", "replace").decode()
    assert config.job["health-check"].workspace == config.agent["notes"].workspace == workspace
    assert config.job["health-check"].inject == (*machine.instructions, "README.md")[:1]
    assert config.skill_set["review"].skills == (machine.skills[:3] or ("name-of-a-skill",))
