"""How often does the feed look when nothing happens, and does it look at once when the operator is there?"""

from tui.reading import views
from tui.reading.feed import ENGINE_MS, QUIET_LOOKS, Feed


def test_whether_there_is_an_engine_is_looked_at_twice_a_second(world, monkeypatch):
    looked = []
    monkeypatch.setattr(views, "engine_status", lambda home: looked.append(home) or views.EngineStatus("none"))
    feed = Feed(world.home, lambda _: None)
    for at_ms in (0, 100, ENGINE_MS - 1, ENGINE_MS, ENGINE_MS + 100, 2 * ENGINE_MS):
        feed.look(at_ms)
    assert len(looked) == 3


def test_a_clock_that_is_set_back_does_not_stop_the_looking(world, monkeypatch):
    looked = []
    monkeypatch.setattr(views, "engine_status", lambda home: looked.append(home) or views.EngineStatus("none"))
    feed = Feed(world.home, lambda _: None)
    feed.look(10_000)
    feed.look(5_000)
    assert len(looked) == 2


def test_a_key_ends_the_rest_of_a_feed_that_found_nothing_for_long(world):
    feed = Feed(world.home, lambda _: None)
    feed._quiet = QUIET_LOOKS - 1
    feed.stir()
    assert (feed._quiet, feed._hurry.is_set()) == (0, False)
    feed._quiet = QUIET_LOOKS
    feed.stir()
    assert (feed._quiet, feed._hurry.is_set()) == (0, True)
