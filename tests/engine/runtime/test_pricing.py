"""Does every model get its price from whoever has the say, once, and does a list that fails leave it unknown?"""

import asyncio
import contextlib
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from engine.config.load import parse
from engine.contract.usage import Response
from engine.runtime import pricing
from engine.runtime.pricing import RETRY_S, PriceBook, ask, installed_list
from state import events, prices
from state.database import open_writer
from state.errors import ConfigError, QuarterdeckError
from state.home import find_home

CLAUDE = ("claude-sonnet-5-5", "anthropic")
NOBODY = ("no-such-model", "anthropic")
LOCAL = ("llama4", "ollama")


class Clock:
    def __init__(self):
        self.now_s = 1_000.0

    def now_ms(self):
        return int(self.now_s * 1000)

    def monotonic(self):
        return self.now_s


class Desk:
    """A database, a clock in the hand, and children that are counted."""

    def __init__(self, folder, monkeypatch):
        self.database = open_writer(find_home(str(folder / "home"), {}))
        self.clock = Clock()
        self.log = folder / "children"
        self._folder = folder
        self._monkeypatch = monkeypatch

    def book(self, config=""):
        return PriceBook(self.database, self.clock, declared(config), {})

    def child(self, program):
        """Another program in place of the price list; `real` does what the real one does."""
        real = "import runpy; runpy.run_module('engine.telemetry.price_list', run_name='__main__')"
        script = self._folder / "child.py"
        script.write_text(f"open({str(self.log)!r}, 'a').write('.')\n" + (real if program == "real" else program))
        self._monkeypatch.setattr(pricing, "CHILD", (sys.executable, str(script)))

    @property
    def children(self):
        return len(self.log.read_text()) if self.log.exists() else 0

    @property
    def notice(self):
        return events.notice(self.database.connection, pricing.NOTICE)

    def known(self):
        return {(model.name, model.provider): model for model in prices.known_models(self.database.connection)}


def declared(text):
    return parse(text, Path("q.toml")).prices


def response(tokens=1_000_000, **rest):
    return Response("k", 1_795_000_000_000, "m", tokens, 0, 0, 0, **rest)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    made = Desk(tmp_path, monkeypatch)
    made.child("real")
    yield made
    made.database.close()


def test_the_list_is_asked_once_for_all_and_its_answer_is_kept(desk):
    book = desk.book()
    book.learn_now({CLAUDE, NOBODY, LOCAL})
    book.learn_now({CLAUDE, NOBODY})
    assert desk.children == 1
    assert book.price_for(CLAUDE).cost_microusd(response()) == 2_000_000
    assert (book.price_for(NOBODY).price_id, book.price_for(NOBODY).cost_microusd(response())) == (None, None)
    assert book.price_for(LOCAL).cost_microusd(response()) == 0
    known = desk.known()
    assert (known[CLAUDE].matched, known[CLAUDE].context_window) == ("anthropic/claude-sonnet-5-5", 1_000_000)
    assert known[CLAUDE].asked == known[NOBODY].asked == installed_list()
    assert (known[NOBODY].matched, known[LOCAL].asked) == (None, None)

    later = desk.book()
    later.learn_now([CLAUDE, NOBODY, LOCAL])
    assert desk.children == 1
    assert later.price_for(CLAUDE).price_id == book.price_for(CLAUDE).price_id
    assert later.price_for(LOCAL).price_id == book.price_for(LOCAL).price_id
    assert later.price_for(CLAUDE).cost_microusd(response()) == 2_000_000


def test_from_a_loop(desk):
    """Which has its turn while the child works."""

    async def learn():
        learning = asyncio.create_task(book.learn({CLAUDE}))
        turns = 0
        while not learning.done():
            turns += 1
            await asyncio.sleep(0.001)
        await learning
        return turns

    book = desk.book()
    assert asyncio.run(learn()) > 20
    assert book.price_for(CLAUDE).cost_microusd(response()) == 2_000_000


def test_what_was_declared_wins(desk):
    book = desk.book(
        """
[prices."claude-sonnet-5-5"]
input = 7
output = 0.1
context_window = 32_000
[prices."ollama/llama4"]
input = 0.3
output = 0.6
cache_read = 0.03
cache_write = 0.5
cache_write_1h = 0.9
"""
    )
    book.learn_now({CLAUDE, LOCAL})
    assert desk.children == 0
    assert book.price_for(CLAUDE).cost_microusd(response()) == 7_000_000
    used = Response("k", 0, "m", 100, 1000, 300, 10, cache_write_1h_tokens=100)
    assert book.price_for(CLAUDE).cost_microusd(used) == 7 * 1400 + 1
    assert book.price_for(LOCAL).cost_microusd(used) == 30 + 30 + 100 + 90 + 6
    assert desk.known()[CLAUDE].declared_window == 32_000
    assert desk.database.connection.execute("SELECT DISTINCT origin FROM prices").fetchall() == [("config",)]


def test_a_declaration_that_comes_and_goes(desk):
    book = desk.book()
    book.learn_now({CLAUDE})
    listed = book.price_for(CLAUDE).price_id

    book.declare(declared('[prices."claude-sonnet-5-5"]\ninput = 7\noutput = 1'))
    assert book.price_for(CLAUDE).cost_microusd(response()) == 7_000_000
    assert book.price_for(CLAUDE).price_id != listed

    book.declare({})
    assert book.price_for(CLAUDE).price_id == listed
    book.learn_now({CLAUDE})
    assert desk.children == 1


def test_a_declaration_for_one_provider_is_none_for_another(desk):
    book = desk.book('[prices."mine/m"]\ninput = 1\noutput = 1\n[prices.m]\ninput = 2\noutput = 2')
    book.learn_now({("m", "mine"), ("m", "other")})
    assert [book.price_for(("m", who)).cost_microusd(response(1)) for who in ("mine", "other")] == [1, 2]


def test_a_newer_list_is_asked_again_and_history_stays(desk):
    desk.book().learn_now({CLAUDE})
    with desk.database.transaction() as tx:
        tx.execute("UPDATE models SET asked = 'genai-prices 0.0.1'")
        tx.execute("UPDATE prices SET origin = 'genai-prices 0.0.1'")
    book = desk.book()
    book.learn_now({CLAUDE})
    assert desk.children == 2
    assert desk.database.connection.execute("SELECT count(*) FROM prices").fetchone() == (2,)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit('no such package')", "no such package"),
        ("raise SystemExit(3)", "it ended with code 3"),
        ("print('hello')", "not an answer"),
        ("print('[null, null, null]')", "3 answers to 1 questions"),
        ("print('[{}]')", "not an answer"),
        ("import os; os.kill(os.getpid(), 9)", "it ended with code -9"),
    ],
)
def test_a_list_that_fails_is_said_and_nothing_costs_nothing(desk, program, said):
    desk.child(program)
    book = desk.book()
    book.learn_now({CLAUDE, LOCAL})
    assert said in desk.notice.text
    assert [event.kind for event in events.latest(desk.database.connection, 5)] == ["prices"]
    assert (book.price_for(CLAUDE).price_id, book.price_for(CLAUDE).cost_microusd(response())) == (None, None)
    assert book.price_for(LOCAL).cost_microusd(response()) == 0
    assert desk.known()[CLAUDE].asked is None

    with pytest.raises(QuarterdeckError, match="the price list failed"):
        asyncio.run(ask([CLAUDE], {}))


def test_a_list_that_failed_is_asked_again_after_a_while(desk):
    desk.child("raise SystemExit(1)")
    book = desk.book()
    book.learn_now({CLAUDE})
    desk.child("real")
    desk.clock.now_s += RETRY_S - 1
    asyncio.run(book.learn({CLAUDE, NOBODY}))
    assert (desk.children, book.price_for(NOBODY).price_id) == (1, None)

    desk.clock.now_s += 1
    asyncio.run(book.learn({CLAUDE, NOBODY}))
    assert (desk.children, desk.notice) == (2, None)
    assert book.price_for(CLAUDE).cost_microusd(response()) == 2_000_000


def test_a_list_that_does_not_answer_is_ended(desk, monkeypatch):
    desk.child("import time; time.sleep(60)")
    monkeypatch.setattr(pricing, "ASK_S", 0.2)
    book = desk.book()
    asyncio.run(book.learn({CLAUDE}))
    assert "no answer" in desk.notice.text
    desk.clock.now_s += RETRY_S
    book.learn_now({CLAUDE})
    assert "timed out" in desk.notice.text


def test_a_price_that_an_older_version_of_ours_stored_is_asked_for_again(desk):
    desk.book().learn_now({CLAUDE})
    with desk.database.transaction() as tx:
        tx.execute("""UPDATE prices SET price = '{"old": true}'""")
    book = desk.book()
    book.learn_now({CLAUDE})
    assert desk.children == 2
    assert book.price_for(CLAUDE).cost_microusd(response()) == 2_000_000


@pytest.mark.parametrize("text", ["0.1", "0.075", "3", "3.0", "123456.789012345", "1e-7", "0.041666666666667"])
def test_a_declared_number_is_taken_as_written(text):
    with pytest.raises(ConfigError) if float(text) > 10_000 else contextlib.nullcontext():
        price = declared(f"[prices.m]\ninput = {text}\noutput = 0")["m"]
        made = pricing.declared_price(("m", ""), price)
        assert made.terms[0].rates.input.base == Decimal(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[prices.m]\ninput = 1", "q.toml:1: prices.m: it needs output"),
        ('[prices."a/b.c"]\ninput = 1\noutput = "2"', "q.toml:3: prices.a/b.c.output: it is a text, where a number"),
        (
            "[prices.m]\ninput = 1\noutput = 2\ncache_reed = 1",
            "q.toml:4: prices.m.cache_reed: unknown key; did you mean",
        ),
        ("[prices.m]\ninput = -1\noutput = 2", "q.toml:2: prices.m.input: must be from 0 to 10,000"),
        ("[prices.m]\ninput = nan\noutput = 2", "q.toml:2: prices.m.input: must be from 0 to 10,000"),
        ("[prices.m]\ninput = 1\noutput = inf", "q.toml:3: prices.m.output: must be from 0 to 10,000"),
        ("[prices.m]\ninput = 1\noutput = 2\ncontext_window = 0", "q.toml:4: prices.m.context_window: must be from 1"),
        ("[price.m]\ninput = 1\noutput = 2", "q.toml:1: price: unknown key; did you mean 'prices'?"),
    ],
)
def test_a_bad_declaration_is_refused(text, said):
    with pytest.raises(ConfigError) as refused:
        declared(text)
    assert refused.value.line.startswith(said)
