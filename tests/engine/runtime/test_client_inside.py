"""How does the client behave inside a run? It leaves orders in that run's spool, and starts nothing."""

import pytest

from engine.contract.orders import Preview, RunRequest, StopRun
from engine.runtime import client
from engine.runtime.client import Attachment, Client
from state import spool
from state.errors import EngineUnavailable, Refused
from state.home import Home, prepare


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Of which we are run 7; its engine is not up."""
    found = Home(config=tmp_path, state=tmp_path / "state")
    prepare(found)
    spool.own_folder(found, 7).mkdir(parents=True)
    monkeypatch.setenv("QUARTERDECK_RUN", "7")
    monkeypatch.setattr(Client, "_start", lambda self: pytest.fail("an engine is started"))
    return found


def test_no_engine_is_started(home, monkeypatch):
    monkeypatch.setattr(client, "HANDOVER_S", 0.0)
    with pytest.raises(EngineUnavailable, match="no engine runs, and a run cannot start one"):
        Client(home).ensure()


def test_an_order_that_nobody_answers_lies_in_its_own_spool_until_it_is_taken_back(home, monkeypatch):
    seen = []
    monkeypatch.setattr(Client, "ring", lambda self: seen.append(spool.left_by_run(home, 7)[0]))
    with pytest.raises(EngineUnavailable, match="did not answer"):
        Client(home).order("stop", StopRun(9), patience_s=0.1)
    assert [order.kind for order in seen[0]] == ["stop"]
    assert spool.left_by_run(home, 7) == spool.pending(home) == ([], [])


def test_where_it_can_leave_none_it_says_so(home):
    asking = Client(home)
    spool.own_folder(home, 7).rmdir()
    with pytest.raises(EngineUnavailable, match="this run can leave no orders"):
        asking.order("stop", StopRun(9))


def test_a_run_is_no_console_and_has_no_previews(home):
    with Attachment(home) as attached:
        assert list(home.consoles.iterdir()) == []
        with pytest.raises(Refused, match="inside a run there are no previews"):
            attached.ask(Preview("t", RunRequest(workspace="/")))
        assert attached.reply("t") is None
    assert list(home.previews.iterdir()) == []


def test_outside_or_in_a_run_without_a_spool_everything_is_as_ever(home, monkeypatch):
    for run in ("", "8"):
        monkeypatch.setenv("QUARTERDECK_RUN", run)
        with Attachment(home):
            assert len(list(home.consoles.iterdir())) == 1
        order_id = Client(home)._put("stop", StopRun(9))
        assert [order.id for order in spool.pending(home)[0]] == [order_id]
        spool.remove(home, order_id)
