"""Is a desk apart from everything of the operator's, and is nothing left when it is closed?"""

import os
from pathlib import Path

import pytest

from engine.execution.follow import read_alive
from engine.proof.desk import KEPT_ENV, Desk, NotTripped, Site, must, need, still_alive
from engine.proof.drill import SHARED
from engine.proof.drills_runs import TREE
from engine.runtime.client import Client
from state.errors import EngineUnavailable


@pytest.fixture
def desk(tmp_path, monkeypatch):
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_STATE_HOME", "QUARTERDECK_HOME", "QUARTERDECK_RUN", "A_KEY"):
        monkeypatch.setenv(name, str(tmp_path / "of-the-operator"))
    made = Desk(tmp_path / "desk", dict(SHARED))
    made.open()
    yield made
    made.close()


@pytest.fixture
def site(desk):
    with desk.reader() as books:
        yield Site(desk, "here", books)


def environment(pid):
    return dict(word.split("=", 1) for word in Path(f"/proc/{pid}/environ").read_text().split("\0") if word)


def test_its_engine_knows_nothing_of_the_environment_outside(desk):
    env = environment(Client(desk.home).holder().pid)
    assert set(env) <= {*KEPT_ENV, "HOME", "TZ", "PYTHONPATH"}
    assert env["HOME"] == str(desk.user)


def test_closing_it_ends_its_engine_and_every_process_of_every_run(desk, site):
    run = site.ask(site.request(TREE, can_write=("notes/",))).run
    pids = set(map(int, site.until(lambda: site.told("pids"), "it has children").split()))
    keeper = read_alive(desk.home.run_folder(run)).pid
    engine = Client(desk.home).holder().pid
    alive = {*pids, keeper, engine}
    assert still_alive(alive) == alive
    desk.close()
    assert still_alive(alive) == set()


def test_closing_it_ends_what_a_dead_keeper_left(desk, site):
    run = site.ask(site.request(TREE)).run
    pids = set(map(int, site.until(lambda: site.told("pids"), "it has children").split()))
    desk.kill_engine()
    os.kill(read_alive(desk.home.run_folder(run)).pid, 9)
    assert still_alive(pids) == pids
    desk.close()
    assert still_alive(pids) == set()


def test_an_edit_of_the_configuration_is_in_force_at_once(desk, site):
    assert site.ask(site.request(run_tokens=5)).verdict.ok is False
    site.configure('[agent.other]\nadapter = "command"\nargv = ["true"]\n')
    assert site.ask(site.request(agent="other")).verdict.ok


def test_an_engine_that_has_died_is_said_and_not_started_again(desk, site):
    os.kill(Client(desk.home).holder().pid, 9)
    with pytest.raises(EngineUnavailable) as caught:
        site.ask(site.request())
    assert "ended" in str(caught.value)
    assert Client(desk.home).holder() is None


def test_what_does_not_hold_is_a_guard_that_did_not_trip():
    need(True, "unused")
    assert must(0, "unused") == 0
    with pytest.raises(NotTripped, match="it passed"):
        need(False, "it passed")
    with pytest.raises(NotTripped, match="nothing there"):
        must(None, "nothing there")
