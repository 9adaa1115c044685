"""How the link keeps an engine: at once after a death, ever less often while none lasts, and never after leaving."""

import threading

import pytest

from engine.runtime.lease import Holder
from state.errors import EngineUnavailable
from tui import link as link_module
from tui.link import Link, pause_s
from tui.messages import EngineCame, EngineFailed, EngineGone


def test_the_first_is_started_at_once_then_at_most_every_five_seconds_then_every_thirty():
    pauses = [pause_s(tries) for tries in range(50)]
    assert pauses[0] == 0
    assert min(pauses[1:]) == 5
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30


class Engines:
    """Stands where engines are started: each start does what it is told to, and the pauses are counted, not waited."""

    def __init__(self, monkeypatch, *starts):
        self.starts, self.alive, self.pauses, self.said = list(starts), False, [], []
        self.came = threading.Semaphore(0)
        engines = self

        class Client:
            def __init__(self, home):
                pass

            def ensure(self):
                if not engines.starts.pop(0):
                    raise EngineUnavailable("the engine did not start: no room", "make room")
                engines.alive = True

            def holder(self):
                return Holder(1, "1", 0, True) if engines.alive else None

        monkeypatch.setattr(link_module, "Client", Client)
        monkeypatch.setattr(Link, "_rest", lambda _, rest_s: self.pauses.append(rest_s))

    def post(self, message):
        self.said.append(type(message))
        if isinstance(message, EngineCame):
            self.came.release()


@pytest.mark.parametrize(
    ("starts", "pauses"),
    [((True, True), [0, 0]), ((True, False, False, True), [0, 0, 5, 10]), ((False, True, True), [0, 5, 0])],
)
def test_a_dead_engine_is_replaced_and_what_fails_is_tried_again(world, monkeypatch, starts, pauses):
    engines = Engines(monkeypatch, *starts)
    link = Link(world.home, engines.post)
    link.attach()
    assert engines.came.acquire(timeout=10)
    link.look()
    engines.alive = False
    link.look()
    assert engines.came.acquire(timeout=10)
    link.leave()
    assert engines.pauses == pauses
    assert engines.said.count(EngineGone) == 1
    assert engines.said.count(EngineFailed) == starts.count(False)


def test_an_engine_that_dies_again_soon_is_not_started_at_once(world, monkeypatch):
    engines = Engines(monkeypatch, True, True, True)
    link = Link(world.home, engines.post)
    link.attach()
    for _ in range(2):
        assert engines.came.acquire(timeout=10)
        engines.alive = False
        link.look()
    assert engines.came.acquire(timeout=10)
    link.leave()
    assert engines.pauses == [0, 0, 5]


def test_what_nobody_foresaw_is_answered_too(world, monkeypatch):
    """A thread that dies of it would leave whoever asked without a word."""
    said, came = [], threading.Semaphore(0)

    def post(message):
        said.append(message)
        came.release()

    def breaks(*_):
        raise ValueError("not foreseen")

    monkeypatch.setattr("tui.cli.dispatch.run", breaks)
    link = Link(world.home, post)
    monkeypatch.setattr(link, "_order", breaks)
    link.command("usage", ["usage"])
    link.order("stop", None)
    for _ in range(2):
        assert came.acquire(timeout=20)
    answered, failed = sorted(said, key=lambda message: type(message).__name__)
    assert (answered.exit_code, answered.stderr) == (1, "usage broke off: ValueError: not foreseen")
    assert failed.line == "stop failed: ValueError: not foreseen"


def test_an_engine_is_not_begun_inside_a_console(world):
    said, came = [], threading.Semaphore(0)

    def post(message):
        said.append(message)
        came.release()

    Link(world.home, post).command("engine", ["engine"])
    assert came.acquire(timeout=20)
    assert (said[0].exit_code, "a program of its own" in said[0].stderr) == (2, True)
