"""Does the child find the models that clients name, no others, and answer in order without a network?"""

import subprocess
import sys
from datetime import date, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from engine.contract.price import ModelName, Price, Rate, Rates, Terms
from engine.telemetry.price_list import LONGEST_NAME, ORIGIN, find, price_of, priced

ROOT = Path(__file__).parents[3]
OFFLINE = """
import runpy, sys

def forbid(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__":
        raise SystemExit(f"the network was used: {event}")

sys.addaudithook(forbid)
runpy.run_module("engine.telemetry.price_list", run_name="__main__")
"""


def ask(names):
    question = msgspec.json.encode(names)
    done = subprocess.run([sys.executable, "-c", OFFLINE], input=question, capture_output=True, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    return msgspec.json.decode(done.stdout, type=list[Price | None])


def test_the_child_answers_in_order_and_offline():
    names = [
        {"name": "gpt-5-codex", "provider": "openai"},
        {"name": "\u2028 nobody\x00", "provider": "made-up"},
        {"name": "claude-sonnet-5-5[1m]", "provider": "anthropic"},
        {"name": "", "provider": ""},
    ]
    answers = ask(names)
    assert [answer and (answer.origin, answer.provider, answer.model) for answer in answers] == [
        (ORIGIN, "openai", "gpt-5"),
        None,
        (ORIGIN, "anthropic", "claude-sonnet-5-5"),
        None,
    ]
    assert answers[2].context_window == 1_000_000


@pytest.mark.parametrize(
    ("name", "provider", "matched"),
    [
        ("claude-haiku-4-5-20251001", "anthropic", "anthropic/claude-haiku-4-5"),
        ("claude-haiku-4-5-20251001", "", "anthropic/claude-haiku-4-5"),
        ("claude-sonnet-5-5[1m]", "", "anthropic/claude-sonnet-5-5"),
        ("gemini-2.5-pro", "google", "google/gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "google", "google/gemini-2.5-pro"),
        ("anthropic/claude-sonnet-5", "openrouter", "openrouter/anthropic/claude-sonnet-5"),
        ("anthropic/claude-sonnet-5-5[1m]", "", "anthropic/claude-sonnet-5-5"),
        ("openai/gpt-5", "openai", "openai/gpt-5"),
        ("openai/gpt-5", "a-gateway", "openai/gpt-5"),
        ("gpt-5", "a-gateway", "openai/gpt-5"),
        ("openai/gpt-5", "anthropic", None),
        ("gpt-5", "anthropic", None),
        ("made-up/gpt-5", "", None),
        ("claude-made-up-9", "anthropic", None),
        ("opus", "anthropic", None),
        ("<synthetic>", "anthropic", None),
        (" ", "anthropic", None),
        ("[1m]", "anthropic", None),
        ("claude-sonnet-5-5" + " " * LONGEST_NAME + "x", "anthropic", None),
        ("whisper-1", "openai", None),
    ],
)
def test_what_a_name_matches(name, provider, matched):
    price = price_of(ModelName(name, provider))
    assert (price and f"{price.provider}/{price.model}") == matched


def test_a_free_model_costs_nothing_and_an_empty_entry_is_unknown():
    free = next(
        (provider, model)
        for provider in get_snapshot().providers
        for model in provider.models
        if model.id.endswith(":free") and isinstance(model.prices, ModelPrice) and not model.prices.__dict__
    )
    assert priced(*free).terms == (Terms(Rates(input=Rate(Decimal(0)), output=Rate(Decimal(0)))),)
    provider, model = find(ModelName("gemma-3-27b-it", "google"))
    assert isinstance(model.prices, ModelPrice)
    assert not model.prices.__dict__
    assert priced(provider, model) is None


def test_another_providers_model_has_no_special_terms():
    own, there = (price_of(ModelName("claude-opus-4-8", provider)) for provider in ("anthropic", "azure"))
    assert (own.model, own.provider, there.model, there.provider) == (there.model, "anthropic", own.model, "azure")
    assert {terms.factor for terms in own.terms} == {"", "batch", "fast"}
    assert {terms.factor for terms in there.terms} == {""}
    assert (own.multipliers, there.multipliers) == ((("geo:us", Decimal("1.1")),), ())


def test_an_entry_in_our_terms():
    """Every kind of condition that the list knows, and the hours of a zone other than UTC."""
    east = timezone(timedelta(hours=8))
    entry = ModelInfo(
        id="m",
        match=ClauseEquals("m"),
        prices=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal("0.300"), output_mtok=Decimal(2))),
            ConditionalPrice(
                StartDateConstraint(date(1970, 1, 3)),
                prices=ModelPrice(
                    input_mtok=TieredPrices(Decimal(1), [Tier(9, Decimal(3)), Tier(5, Decimal(2))]),
                    output_reasoning_mtok=Decimal(4),
                    cache_write_5m_mtok=Decimal(5),
                    audio_hours=Decimal(6),
                ),
            ),
            ConditionalPrice(
                TimeOfDateConstraint(time(6, 30, tzinfo=east), time(9, tzinfo=east)),
                prices=ModelPrice(input_mtok=Decimal(7), cache_read_mtok=None),
            ),
        ],
        price_variants=[
            PriceVariant({"service_tier": "default"}, ModelPrice()),
            PriceVariant({"processing": "batch", "speed": "fast"}, ModelPrice(input_mtok=Decimal(8))),
            PriceVariant({"search_type": "fast"}, ModelPrice(input_mtok=Decimal(8))),
            PriceVariant({"speed": "fast"}, ModelPrice(input_mtok=Decimal(9))),
        ],
    )
    provider = find(ModelName("gpt-5", "openai"))[0]
    standard = (
        Terms(Rates(input=Rate(Decimal("0.3")), output=Rate(Decimal(2)))),
        Terms(
            Rates(
                input=Rate(Decimal(1), ((5, Decimal(2)), (9, Decimal(3)))),
                cache_write=Rate(Decimal(5)),
                reasoning=Rate(Decimal(4)),
            ),
            from_ms=2 * 86_400_000,
        ),
        Terms(Rates(input=Rate(Decimal(7))), day_from_ms=81_000_000, day_until_ms=3_600_000),
    )
    assert priced(provider, entry).terms == standard
    mine = type(provider)(id="mine", name="", api_pattern="", models=[entry])
    assert priced(mine, entry).terms == (*standard, Terms(Rates(input=Rate(Decimal(9))), factor="fast"))
