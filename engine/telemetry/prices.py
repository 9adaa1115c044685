"""What did one response cost? Pure arithmetic in whole numbers, from a price and a response's tokens.

A price is compiled once: of its terms those that hold in one span of time, for one set of factors, become integers.
What follows from which rate is missing is as genai-prices has it, so that both agree to the last digit.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from decimal import Context, Decimal

from msgspec import structs

from engine.contract.price import DAY_MS, Price, Rate, Rates, Terms
from engine.contract.usage import Response

Cost = Callable[[Response], int | None]
"""The cost of a response in millionths of a dollar; None when it used what its price has no rate for."""

LOCAL_PROVIDERS = frozenset(
    {"gpt4all", "jan", "koboldcpp", "llama-cpp", "llama.cpp", "llamacpp", "llamafile", "lm-studio", "lm_studio"}
    | {"lmstudio", "local", "localai", "mlx", "ollama", "sglang", "vllm"}
)
"""Who serves models on machines of the operator's own: no tokens are paid for."""

DEFAULT_PROVIDERS = {"claude_code": "anthropic", "codex": "openai", "gemini": "google"}
"""Who serves the models of a source whose log does not tell."""

_EXACT = Context(prec=200)
_NOTHING = Rate(Decimal(0))


def is_local(name: str, provider: str) -> bool:
    """Whether a model costs nothing because it runs at the operator's. Ollama also sells hosted models, named so."""
    return provider.lower() in LOCAL_PROVIDERS and not name.endswith(("-cloud", ":cloud"))


def local_price(name: str, provider: str) -> Price:
    """Nothing, said explicitly."""
    return Price("local", provider, name, (Terms(Rates(input=_NOTHING, output=_NOTHING)),))


def cost_microusd(price: Price | None, response: Response) -> int | None:
    """What one response cost in millionths of a dollar, half up; None without a price. For many, `compile_price`."""
    return None if price is None else compile_price(price)(response)


def compile_price(price: Price) -> Cost:
    """The cost of any response at this price. Half a millionth of a dollar is rounded up, once for each response."""
    standard = tuple(terms for terms in price.terms if not terms.factor)
    special = tuple(terms for terms in price.terms if terms.factor)
    multipliers = dict(price.multipliers)
    words = frozenset((*multipliers, *(terms.factor for terms in special)))
    starts = sorted({terms.from_ms for terms in price.terms if terms.from_ms is not None})
    edges = sorted({edge for terms in price.terms for edge in (terms.day_from_ms, terms.day_until_ms) if edge})
    plans: dict[tuple[int, int, frozenset[str]], _Plan] = {}

    def plan_for(at_ms: int, factors: frozenset[str]) -> _Plan:
        key = (bisect_right(starts, at_ms), bisect_right(edges, at_ms % DAY_MS) if edges else 0, factors)
        plan = plans.get(key)
        if plan is None:
            rates = _in_force(standard, special, at_ms, factors)
            plan = plans[key] = _plan(_times(rates, [multipliers[word] for word in factors & multipliers.keys()]))
        return plan

    def cost(response: Response) -> int | None:
        if not response.factors:
            return plan_for(response.at_ms, _NO_FACTORS)(response, 0)
        said = response.factors.split()
        return plan_for(response.at_ms, words.intersection(said))(response, sum(map(_searches, said)))

    if any(terms.from_ms is not None or terms.day_from_ms is not None for terms in standard):
        return cost
    usual = plan_for(0, _NO_FACTORS)

    def cost_without_dates(response: Response) -> int | None:
        return cost(response) if response.factors else usual(response, 0)

    return cost_without_dates


_NO_FACTORS: frozenset[str] = frozenset()
_Plan = Callable[[Response, int], int | None]
"""The cost of a response with so many web searches, at rates that are known to hold."""


def _searches(word: str) -> int:
    """The n of `web:n`."""
    kind, _, count = word.partition(":")
    return int(count) if kind == "web" and count.isascii() and count.isdigit() and len(count) < 10 else 0


def _in_force(standard: tuple[Terms, ...], special: tuple[Terms, ...], at_ms: int, factors: frozenset[str]) -> Rates:
    """The standard rates of a moment, those replaced that the factors give anew."""
    rates = next((terms.rates for terms in reversed(standard) if terms.hold_at(at_ms)), standard[0].rates)
    given: dict[str, Rate] = {}
    for terms in special:
        if terms.factor in factors and terms.hold_at(at_ms):
            given = dict(_items(terms.rates)) | given
    return structs.replace(rates, **given)


def _items(rates: Rates) -> Iterator[tuple[str, Rate]]:
    return ((name, rate) for name, rate in structs.asdict(rates).items() if rate is not None)


def _times(rates: Rates, multipliers: list[Decimal]) -> Rates:
    """Every rate per token multiplied, exactly."""
    for by in multipliers:
        changed = {name: _map(rate, by) for name, rate in _items(rates) if name not in ("web_search", "request")}
        rates = structs.replace(rates, **changed)
    return rates


def _map(rate: Rate, by: Decimal) -> Rate:
    return Rate(_EXACT.multiply(rate.base, by), tuple((n, _EXACT.multiply(value, by)) for n, value in rate.above))


def _plan(rates: Rates) -> _Plan:
    """Rates as whole numbers: one set for each length of prompt that they tell apart."""
    limits = sorted({n for _, rate in _items(rates) for n, _ in rate.above})
    levels = [
        _level({name: _at(rate, prompt) for name, rate in _items(rates)}) for prompt in (0, *(n + 1 for n in limits))
    ]
    if not limits:
        return levels[0]

    def by_prompt(response: Response, searches: int) -> int | None:
        prompt = response.input_tokens + response.cache_read_tokens + response.cache_write_tokens
        return levels[bisect_left(limits, prompt)](response, searches)

    return by_prompt


def _at(rate: Rate, prompt_tokens: int) -> Decimal:
    """The rate for a prompt of this length."""
    return next((value for n, value in reversed(rate.above) if prompt_tokens > n), rate.base)


def _level(dollars: dict[str, Decimal]) -> _Plan:
    """A dollar per million tokens is a millionth of a dollar for each, so a sum of tokens times rates is the answer,
    times the power of ten that makes every rate whole."""
    if "input" not in dollars:
        return lambda response, searches: None
    digits = max(1, *(-int(rate.as_tuple().exponent) for rate in dollars.values()))
    whole = {name: int(_EXACT.scaleb(rate, digits)) for name, rate in dollars.items()}
    unit = 10**digits
    fresh = whole["input"]
    read = whole.get("cache_read", fresh)
    write = whole.get("cache_write", fresh)
    hour_more = whole.get("cache_write_1h", write) - write
    output = whole.get("output", 0)
    reasoning_more = whole.get("reasoning", output) - output
    no_output = "output" not in whole
    search = whole.get("web_search", 0) * 1000
    start = whole.get("request", 0) * 1000 + unit // 2

    def cost(response: Response, searches: int) -> int | None:
        written, answered = response.cache_write_tokens, response.output_tokens
        total = start + response.input_tokens * fresh + response.cache_read_tokens * read
        total += written * write + answered * output
        hour = response.cache_write_1h_tokens
        if hour:
            total += min(hour, written) * hour_more
        if reasoning_more and response.reasoning_tokens:
            total += min(response.reasoning_tokens, answered) * reasoning_more
        if searches:
            total += searches * search
        return None if no_output and answered else total // unit

    return cost
