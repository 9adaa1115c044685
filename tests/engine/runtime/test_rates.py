"""Is a rate that of whoever has the say, and unknown where nobody has said anything?"""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.adapters.registry import is_free
from engine.admission.cost import Rate
from engine.config.load import parse
from engine.contract.price import DAY_MS, Price, Rates, Terms
from engine.contract.price import Rate as Dollars
from engine.runtime.rates import rate_of
from state import prices
from state.database import open_writer
from state.errors import NotFound
from state.home import find_home

ROOT = Path(__file__).parents[3]
DECLARED = '[prices."sonnet"]\ninput = 3\noutput = 15\ncache_read = 0.3\n'
LIST = "genai-prices 0.2.3"


@pytest.fixture
def database(tmp_path):
    opened = open_writer(find_home(str(tmp_path), {}))
    yield opened
    opened.close()


def rates(*dollars, **rest):
    names = ("input", "output", "cache_read")
    told = {name: Dollars(Decimal(rate)) for name, rate in zip(names, dollars, strict=False)}
    return Terms(Rates(**told), **rest)


def seen(database, provider="anthropic", *terms, name="sonnet", text=None):
    """A model as it was booked, with what the list told; without terms, that it knows none."""
    with database.transaction() as tx:
        number = prices.model_id(tx, name, provider)
        prices.note_asked(tx, number, LIST, None, None)
        if terms or text:
            price = text or msgspec.json.encode(Price(LIST, provider, name, terms)).decode()
            prices.note_price(tx, number, LIST, price, 10)


def asked(database, model="sonnet", config="", adapter="command"):
    return rate_of(database.connection, parse(config, Path("q.toml")), adapter, model)


def test_what_needs_no_model_is_free_whatever_is_declared(database):
    declared = DECLARED.replace("sonnet", "digest")
    for model in ("digest", "sonnet", None):
        assert asked(database, model, declared, "digest") == Rate(0, 0, 0, "local")


def test_an_adapter_that_is_not_there_is_an_error(database):
    with pytest.raises(NotFound):
        asked(database, adapter="comand")


@pytest.mark.parametrize("model", [None, "sonnet"])
def test_nothing_is_known_of_a_model_that_nobody_named_or_priced(database, model):
    assert asked(database, model) is None


def test_what_is_declared_holds_before_any_use(database):
    assert asked(database, config=DECLARED) == Rate(3_000_000, 15_000_000, 300_000, "config")


def test_what_is_declared_wins_over_the_list(database):
    seen(database, "anthropic", rates("9", "9"))
    assert asked(database, config=DECLARED).input_microusd_per_mtok == 3_000_000


def test_what_is_declared_for_a_provider_holds_where_it_has_served(database):
    declared = DECLARED.replace("sonnet", "bedrock/sonnet")
    assert asked(database, config=declared) is None
    seen(database, "anthropic", rates("9", "9"))
    assert asked(database, config=declared).origin == LIST
    seen(database, "bedrock")
    assert asked(database, config=declared).origin == "config"
    both = declared + DECLARED.replace("3", "7", 1)
    assert asked(database, config=both).input_microusd_per_mtok == 3_000_000


def test_the_list_tells_what_is_not_declared(database):
    seen(database, "anthropic", rates("3", "15", "0.30"))
    assert asked(database) == Rate(3_000_000, 15_000_000, 300_000, LIST)
    assert asked(database, "opus") is None


def test_a_read_from_the_cache_without_a_rate_costs_what_input_does(database):
    seen(database, "anthropic", rates("0.15", "0.6"))
    assert asked(database) == Rate(150_000, 600_000, 150_000, LIST)


def test_the_price_that_was_told_last_counts(database):
    seen(database, "anthropic", rates("3", "15"))
    seen(database, "vertex", rates("4", "20"))
    seen(database, "openrouter")
    assert asked(database).input_microusd_per_mtok == 4_000_000


def test_a_list_that_knows_a_model_no_longer_tells_nothing(database):
    seen(database, "anthropic", rates("3", "15"))
    with database.transaction() as tx:
        prices.note_asked(tx, prices.model_id(tx, "sonnet", "anthropic"), "genai-prices 0.3", None, None)
    assert asked(database) is None


def test_what_is_not_declared_any_more_is_not_gone_by(database):
    with database.transaction() as tx:
        text = msgspec.json.encode(Price("config", "", "sonnet", (rates("3", "15"),))).decode()
        prices.note_price(tx, prices.model_id(tx, "sonnet", ""), "config", text, 10)
    assert asked(database) is None


def test_what_runs_at_the_operators_own_is_free_unless_others_serve_it_too(database):
    seen(database, "ollama", rates("9", "9"))
    assert asked(database) == Rate(0, 0, 0, "local")
    seen(database, "groq")
    assert asked(database) is None
    seen(database, "together", rates("3", "15"))
    assert asked(database).origin == LIST
    seen(database, "ollama", name="kimi:cloud")
    assert asked(database, "kimi:cloud") is None


def test_a_price_that_another_version_has_stored_is_none(database):
    seen(database, "anthropic", rates("3", "15"))
    seen(database, "vertex", text='{"origin": 1}')
    assert asked(database).input_microusd_per_mtok == 3_000_000
    seen(database, "anthropic", text="{}")
    assert asked(database) is None


NIGHT = {"day_from_ms": 60_000, "day_until_ms": DAY_MS // 3}


@pytest.mark.parametrize(
    ("terms", "dollars"),
    [
        ((rates("1", "9", factor="batch"), rates("2", "9")), 2),
        ((rates("4", "9", from_ms=0), rates("3", "9", from_ms=99), rates("5", "9", from_ms=50)), 3),
        ((rates("2", "9"), rates("1", "9", **NIGHT)), 2),
        ((rates("2", "9"), rates("3", "9", **NIGHT)), 3),
        ((rates("5", "9"), rates("3", "9", from_ms=9), rates("1", "9", **NIGHT)), 3),
        ((rates("1", "9", **NIGHT),), 1),
    ],
)
def test_the_newest_standard_rates_count_and_of_a_day_the_dearest(database, terms, dollars):
    seen(database, "anthropic", *terms)
    assert asked(database).input_microusd_per_mtok == dollars * 1_000_000


@pytest.mark.parametrize(
    "terms",
    [(rates("3"),), (rates(),), (Terms(Rates(output=Dollars(Decimal(3)))),), (rates("3", "15", factor="batch"),)],
)
def test_a_price_that_leaves_something_out_is_unknown(database, terms):
    seen(database, "anthropic", *terms)
    assert asked(database) is None


def test_asking_for_a_rate_does_not_load_the_price_list():
    script = "import sys, engine.runtime.rates; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    ("adapter", "model", "free"),
    [
        ("ollama", "qwen2.5:3b", True),
        ("ollama", "gpt-oss:120b-cloud", False),
        ("digest", None, True),
        ("anthropic", "claude", False),
        ("command", None, False),
    ],
)
def test_whose_models_cost_nothing(adapter, model, free):
    assert is_free(adapter, model) is free
