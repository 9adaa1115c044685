"""Does a unit name programs as systemd reads them, wherever those are?"""

import sys
from pathlib import Path

from engine.config.model import AdapterDefaults, Config
from engine.proof.install import search_path, unit_path, unit_text
from state.home import Home

HOME = Home(config=Path("/home/op/.config/quarterdeck"), state=Path("/home/op/.local/state/quarterdeck"))


def test_nothing_in_a_path_is_a_variable_or_a_specifier(monkeypatch):
    monkeypatch.setattr(sys, "executable", '/opt/a "b"/$HOME/100%/python')
    text = unit_text(HOME, Config(), {"PATH": "/usr/bin"})
    assert 'ExecStart="/opt/a \\"b\\"/$$HOME/100%%/python" "-P"' in text


def test_the_path_has_the_folders_of_what_agents_need_first_and_nothing_relative(tmp_path):
    for name in ("claude", "node", "pump"):
        place = tmp_path / name / name
        place.parent.mkdir()
        place.write_text("#!/bin/sh\n")
        place.chmod(0o755)
    config = Config(adapter={"codex": AdapterDefaults(program=str(tmp_path / "pump" / "pump"))})
    found = search_path(config, {"PATH": f"{tmp_path}/claude:{tmp_path}/node:bin"})
    assert found[:3] == [str(tmp_path / name) for name in ("pump", "claude", "node")]
    assert found[-1] == "/bin"
    assert len(set(found)) == len(found)


def test_a_home_that_variables_name_is_named_to_the_unit_too():
    one = Home(config=Path("/q"), state=Path("/q"))
    assert 'Environment="QUARTERDECK_HOME=/q"' in unit_text(one, Config(), {})
    apart = unit_text(HOME, Config(), {"XDG_STATE_HOME": "/s", "XDG_CONFIG_HOME": "", "SECRET": "x"})
    assert 'Environment="XDG_STATE_HOME=/s"' in apart
    assert "XDG_CONFIG_HOME" not in apart
    assert "SECRET" not in apart


def test_units_are_where_systemd_looks_for_them():
    assert unit_path({"HOME": "/h"}) == Path("/h/.config/systemd/user/quarterdeck.service")
    assert unit_path({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}) == Path("/c/systemd/user/quarterdeck.service")
    assert unit_path({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}) == unit_path({"HOME": "/h"})
