"""Is our cost of a response what genai-prices says, to the digit, for every model and any usage?"""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext

import msgspec
import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import Usage
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from engine.contract.price import DAY_MS, ModelName, Price, Rate, Rates, Terms
from engine.contract.usage import Response
from engine.telemetry.price_list import FACTOR_OF, price_of, priced
from engine.telemetry.prices import compile_price, cost_microusd, is_local, local_price

MILLION = Decimal(1_000_000)
WHOLE = ("anthropic", "openai", "google")
EVERY = [(provider, model) for provider in get_snapshot().providers for model in provider.models]
SAMPLE = [
    (provider, model)
    for at, (provider, model) in enumerate(EVERY)
    if provider.id in (*WHOLE, "deepseek", "perplexity") or at % 11 == 0
]


def dollars(text):
    return Rate(Decimal(text))


def price(*terms, **rest):
    return Price("config", "p", "m", terms, **rest)


def response(fresh=0, read=0, write=0, output=0, at_ms=0, **rest):
    return Response("k", at_ms, "m", fresh, read, write, output, **rest)


def list_cost(provider, model, said, searches=0):
    """Millionths of a dollar as genai-prices has it, half up. Its input includes what is cached."""
    words = said.factors.split()
    usage = Usage(
        input_tokens=said.input_tokens + said.cache_read_tokens + said.cache_write_tokens,
        cache_read_tokens=said.cache_read_tokens,
        cache_write_tokens=said.cache_write_tokens,
        cache_write_1h_tokens=said.cache_write_1h_tokens or 0,
        output_tokens=said.output_tokens,
        output_reasoning_tokens=said.reasoning_tokens or 0,
        web_searches=searches,
    )
    with localcontext(prec=100):
        found = model.calc_price(
            usage,
            provider,
            genai_request_timestamp=datetime.fromtimestamp(said.at_ms / 1000, UTC),
            price_context={key: value for (key, value), word in FACTOR_OF.items() if word in words},
        )
        return int((found.total_price * MILLION).quantize(Decimal(1), ROUND_HALF_UP))


# Round prices meet round limits only at their edges, so those are drawn on purpose.
TOKENS = st.one_of(
    st.integers(0, 2_000_000), st.sampled_from([0, 1, 100_000, 128_000, 199_999, 200_000, 200_001, 272_000])
)
DAY = datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000
TIMES = st.builds(
    lambda day, ms: int(DAY) + day * DAY_MS + ms,
    st.integers(0, 1200),
    st.one_of(st.integers(0, DAY_MS - 1), st.sampled_from([0, 3_600_000, 4 * 3_600_000, 59_400_000, 59_399_999])),
)


@st.composite
def drawn(draw):
    write, output, searches = draw(TOKENS), draw(TOKENS), draw(st.integers(0, 3))
    words = [draw(st.sampled_from(["", "batch"])), draw(st.sampled_from(["", "fast", "flex", "priority"]))]
    if searches:
        words.append(f"web:{searches}")
    said = response(
        draw(TOKENS),
        draw(TOKENS),
        write,
        output,
        draw(TIMES),
        cache_write_1h_tokens=draw(st.one_of(st.none(), st.integers(0, write))),
        reasoning_tokens=draw(st.one_of(st.none(), st.integers(0, output))),
        factors=" ".join(filter(None, words)),
    )
    return said, searches


# Not shrunk when it fails: each step prices hundreds of models, and the first draw says enough.
@settings(max_examples=25, deadline=None, phases=[Phase.generate])
@given(st.data())
def test_every_model_of_the_sample_costs_what_the_list_says(data):
    said, searches = data.draw(drawn())
    seen = 0
    for provider, model in SAMPLE:
        ours = priced(provider, model)
        if ours is not None:
            if "fast" in dict(ours.multipliers):
                continue
            got = compile_price(ours)(said)
            if got is None:
                assert unpriced(ours, said), (provider.id, model.id)
            else:
                seen += 1
                assert got == list_cost(provider, model, said, searches), (provider.id, model.id)
    assert seen > 250


def unpriced(ours, said):
    """Whether a price has no rate for something that was used, in any of its terms."""
    return any(terms.rates.input is None or (said.output_tokens and not terms.rates.output) for terms in ours.terms)


def test_nothing_is_lost_in_any_price_of_the_list():
    """Every rate of every model, through JSON and back, at a usage that shows each of its digits."""
    count = 0
    said = response(10**18, 10**19, 10**20, 10**21, 1_795_000_000_000, cache_write_1h_tokens=10**17)
    for provider, model in EVERY:
        ours = priced(provider, model)
        if ours is None:
            continue
        assert msgspec.json.decode(msgspec.json.encode(ours), type=Price) == ours
        got = cost_microusd(ours, said)
        if got is not None:
            count += 1
            assert got == list_cost(provider, model, said), (provider.id, model.id)
    assert count > 1900


def test_the_whole_request_is_paid_at_the_rate_of_its_length():
    """Reads and writes count to the length; output is dearer too; the limit itself is still short."""
    long = Rate(Decimal(2), ((200_000, Decimal(4)),))
    ours = price(Terms(Rates(input=long, cache_read=dollars("1"), output=Rate(Decimal(10), ((200_000, Decimal(30)),)))))
    assert cost_microusd(ours, response(100_000, 99_999, 1, output=10)) == 200_000 + 99_999 + 2 + 100
    assert cost_microusd(ours, response(100_000, 99_999, 2, output=10)) == 400_000 + 99_999 + 8 + 300


def test_three_lengths():
    ours = price(Terms(Rates(input=Rate(Decimal(1), ((10, Decimal(2)), (20, Decimal(3)))), output=dollars("0"))))
    assert [cost_microusd(ours, response(n)) for n in (10, 11, 20, 21)] == [10, 22, 40, 63]


def test_a_cache_write_that_is_not_split_costs_what_five_minutes_do():
    rates = Rates(input=dollars("4"), cache_write=dollars("5"), cache_write_1h=dollars("8"), output=dollars("0"))
    ours = price(Terms(rates))
    assert cost_microusd(ours, response(write=100)) == 500
    assert cost_microusd(ours, response(write=100, cache_write_1h_tokens=0)) == 500
    assert cost_microusd(ours, response(write=100, cache_write_1h_tokens=40)) == 60 * 5 + 40 * 8
    assert cost_microusd(ours, response(write=100, cache_write_1h_tokens=130)) == 800  # a log that contradicts itself


@pytest.mark.parametrize(
    ("rates", "cost"),
    [
        (Rates(input=dollars("2"), output=dollars("9")), 2 * (1 + 10 + 100) + 9 * 1000),
        (Rates(input=dollars("2"), cache_write=dollars("3"), output=dollars("9")), 2 * 11 + 3 * 100 + 9 * 1000),
        (Rates(input=dollars("2"), cache_write_1h=dollars("5"), output=dollars("9")), 2 * (1 + 10 + 60) + 200 + 9000),
        (Rates(input=dollars("2"), output=dollars("9"), reasoning=dollars("1")), 2 * 111 + 9 * 700 + 300),
        (Rates(input=dollars("2"), output=dollars("9"), request=dollars("5")), 2 * 111 + 9000 + 5000),
        (Rates(input=dollars("2")), None),
        (Rates(output=dollars("2")), None),
    ],
)
def test_what_a_missing_rate_means(rates, cost):
    said = response(1, 10, 100, 1000, cache_write_1h_tokens=40, reasoning_tokens=300)
    assert cost_microusd(price(Terms(rates)), said) == cost


@pytest.mark.parametrize(
    ("rate", "tokens", "cost"),
    [("0.5", 1, 1), ("0.4999", 1, 0), ("1.5", 1, 2), ("2.5", 1, 3), ("0.1", 4, 0), ("0.1", 5, 1), ("1e-18", 1, 0)],
)
def test_half_a_millionth_is_rounded_up(rate, tokens, cost):
    assert cost_microusd(price(Terms(Rates(input=dollars(rate), output=dollars(rate)))), response(tokens)) == cost


def test_a_response_is_rounded_once():
    ours = price(Terms(Rates(input=dollars("0.4"), cache_read=dollars("0.4"), output=dollars("0.4"))))
    assert cost_microusd(ours, response(1, 1, 1, 1)) == 2


def test_dates_and_hours():
    def flat(text, **when):
        return Terms(Rates(input=dollars(text), output=dollars("0")), **when)

    night = {"day_from_ms": 22 * 3_600_000, "day_until_ms": 6 * 3_600_000}
    cost = compile_price(price(flat("1"), flat("2", from_ms=10 * DAY_MS), flat("3", **night)))
    hour = 3_600_000
    at = {
        5 * DAY_MS + 12 * hour: 1,
        10 * DAY_MS + 6 * hour - 1: 3,
        10 * DAY_MS + 6 * hour: 2,
        10 * DAY_MS + 22 * hour - 1: 2,
        10 * DAY_MS + 22 * hour: 3,
        5 * DAY_MS: 3,
        -1: 3,
    }
    assert {at_ms: cost(response(1, at_ms=at_ms)) for at_ms in at} == at


def test_of_no_terms_in_force_the_first_count():
    first, second = (
        Terms(Rates(input=dollars(n), output=dollars("0")), from_ms=ms) for n, ms in (("1", 10), ("2", 20))
    )
    cost = compile_price(price(first, second))
    assert [cost(response(1, at_ms=at)) for at in (5, 10, 19, 20)] == [1, 1, 1, 2]


def test_factors():
    ours = price(
        Terms(Rates(input=dollars("10"), output=dollars("20"), web_search=dollars("10"))),
        Terms(Rates(input=dollars("60")), factor="fast", from_ms=100),
        multipliers=(("geo:us", Decimal("1.1")),),
    )
    cost = compile_price(ours)

    def said(factors, at_ms=100):
        return cost(response(100, output=10, at_ms=at_ms, factors=factors))

    assert said("") == said("flex unheard-of web: web:-1 web:x geo:eu") == 1200
    assert said("fast") == said("fast fast") == 6200
    assert said("fast", at_ms=99) == 1200
    assert said("geo:us") == 1320
    assert said("geo:us fast web:2") == 6820 + 20_000  # a search costs the same everywhere


def test_anthropic_in_the_us_costs_a_tenth_more():
    ours = price_of(ModelName("claude-opus-4-6", "anthropic"))
    plain = response(1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_795_000_000_000)
    there = msgspec.structs.replace(plain, factors="geo:us")
    assert cost_microusd(ours, there) * 10 == cost_microusd(ours, plain) * 11


def test_the_first_fast_mode_cost_six_times_as_much():
    """Its long prompts too: they were twice as dear then, $60 for a million tokens of input."""
    cost = compile_price(price_of(ModelName("claude-opus-4-6", "anthropic")))
    early_ms = 1_772_000_000_000
    assert cost(response(100_000, output=1000, at_ms=early_ms, factors="fast")) == 3_000_000 + 150_000
    assert cost(response(1_000_000, output=1000, at_ms=early_ms, factors="fast")) == 60_000_000 + 225_000
    assert cost(response(100_000, output=1000, at_ms=early_ms)) == 500_000 + 25_000


def test_what_runs_here_costs_nothing_and_what_is_unknown_has_no_cost():
    assert is_local("llama4", "Ollama")
    assert not is_local("gpt-oss:120b-cloud", "ollama")
    assert not is_local("llama4", "ollama-cloud")
    assert not is_local("llama4", "")
    mine = local_price("llama4", "ollama")
    assert (mine.origin, cost_microusd(mine, response(5, 6, 7, 8, factors="web:9"))) == ("local", 0)
    assert cost_microusd(None, response(5)) is None
