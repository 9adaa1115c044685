"""Who says what a model costs, and by which price is a response booked now?

What the operator declared wins; then nothing for what runs at the operator's own; then the price list, which a child
process is asked once for every model and version of the list. Answers are stored, and no answer is ever a price of 0.
"""

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config.model import ModelPrice
from engine.contract.clock import Clock
from engine.contract.price import ModelName, Price, Rate, Rates, Terms
from engine.contract.usage import Response
from engine.runtime.imports import with_import_path
from engine.telemetry.prices import Cost, compile_price, is_local, local_price
from state import events, prices
from state.database import Connection, Database
from state.errors import QuarterdeckError

ASK_S = 60.0
"""A child that has not answered by then is ended; it needs half a second."""
RETRY_S = 600.0
"""After a child that failed, how long until the next one is started for the same models."""
NOTICE = "prices"

Model = tuple[str, str]
"""A model's name and provider, as logged; the provider is empty when it is not known."""


class Priced(Struct, gc=False):
    """By which price a model's responses are booked now."""

    model_id: int
    price_id: int | None
    """None while no price is known."""
    cost_microusd: Cost
    """The cost of a response in millionths of a dollar; None while no price is known."""


class PriceBook:
    """Prices by model. A model must be learned before it is asked for."""

    def __init__(
        self, database: Database, clock: Clock, declared: Mapping[str, ModelPrice], environ: Mapping[str, str]
    ) -> None:
        self._database = database
        self._clock = clock
        self._declared = declared
        self._environ = environ
        self._priced: dict[Model, Priced] = {}
        self._unasked: set[Model] = set()
        self._retry_at = 0.0
        self._origin: str | None = None

    def price_for(self, model: Model) -> Priced:
        """From memory. Raises KeyError for a model that was not learned."""
        return self._priced[model]

    def known_price(self, model: Model) -> Priced | None:
        """The same, or None for a model that was not learned."""
        return self._priced.get(model)

    def declare(self, declared: Mapping[str, ModelPrice]) -> None:
        """Go by another configuration from now on."""
        if declared != self._declared:
            self._declared = declared
            self._register(set(self._priced))

    async def learn(self, models: Iterable[Model]) -> None:
        """Be ready to be asked for these models. A price list that fails is noted, and what it would say is unknown."""
        asked = self._wanted(models)
        if asked:
            try:
                answers = await ask(asked, self._environ)
            except QuarterdeckError as error:
                self._complain(error)
            else:
                self._note(asked, answers)

    def learn_now(self, models: Iterable[Model]) -> None:
        """As `learn`, where no loop waits."""
        asked = self._wanted(models)
        if asked:
            try:
                answers = ask_now(asked, self._environ)
            except QuarterdeckError as error:
                self._complain(error)
            else:
                self._note(asked, answers)

    def _wanted(self, models: Iterable[Model]) -> list[Model]:
        """Those of these that the price list must be asked for now; the others are priced on the way."""
        models = set(models)
        new = models - self._priced.keys()
        if new:
            self._register(new)
        waiting = models & self._unasked
        return sorted(waiting) if self._clock.monotonic() >= self._retry_at else []

    def _register(self, models: set[Model]) -> None:
        """Price by what is here: the configuration, the rule of local models, and what the list said before."""
        with self._database.transaction() as tx:
            known = {(model.name, model.provider): model for model in prices.known_models(tx)}
            for model in models:
                number = prices.model_id(tx, *model)
                before = known.get(model)
                self._unasked.discard(model)
                own = self._own_price(model)
                window = own.context_window if own is not None else None
                if window != (before.declared_window if before is not None else None):
                    prices.note_window(tx, number, window)
                if own is not None:
                    self._priced[model] = self._stored(tx, number, own)
                    continue
                remembered = before and _remembered(before)
                self._priced[model] = remembered or Priced(number, None, _no_cost)
                if before is None or before.asked != self._list() or (before.price is not None and not remembered):
                    self._unasked.add(model)

    def _note(self, asked: list[Model], answers: tuple[Price | None, ...]) -> None:
        with self._database.transaction() as tx:
            for model, price in zip(asked, answers, strict=True):
                if model not in self._unasked:
                    continue  # declared while the list was asked
                number = self._priced[model].model_id
                if price is None:
                    prices.note_asked(tx, number, self._list(), None, None)
                    self._priced[model] = Priced(number, None, _no_cost)
                else:
                    matched = f"{price.provider}/{price.model}"
                    prices.note_asked(tx, number, price.origin, matched, price.context_window)
                    self._priced[model] = self._stored(tx, number, price)
            events.drop_notice(tx, NOTICE)
        self._unasked.difference_update(asked)
        self._retry_at = 0.0

    def _stored(self, tx: Connection, model_id: int, price: Price) -> Priced:
        text = msgspec.json.encode(price).decode()
        number = prices.note_price(tx, model_id, price.origin, text, self._clock.now_ms())
        return Priced(model_id, number, compile_price(price))

    def _complain(self, error: QuarterdeckError) -> None:
        self._retry_at = self._clock.monotonic() + RETRY_S
        with self._database.transaction() as tx:
            events.add(tx, self._clock.now_ms(), "prices", error.line)
            events.raise_notice(tx, events.Notice(NOTICE, "warning", error.line, self._clock.now_ms()))

    def _own_price(self, model: Model) -> Price | None:
        declaration = self._declaration(model)
        if declaration is not None:
            return declared_price(model, declaration)
        return local_price(*model) if is_local(*model) else None

    def _declaration(self, model: Model) -> ModelPrice | None:
        name, provider = model
        return self._declared.get(f"{provider}/{name}") or self._declared.get(name)

    def _list(self) -> str:
        if self._origin is None:
            self._origin = installed_list()
        return self._origin


def _remembered(model: prices.KnownModel) -> Priced | None:
    """By the stored price; None without one, and where another version of ours has stored it otherwise."""
    if model.price is None or model.price_id is None:
        return None
    with contextlib.suppress(msgspec.DecodeError):
        return Priced(model.id, model.price_id, compile_price(msgspec.json.decode(model.price, type=Price)))
    return None


def _no_cost(response: Response) -> int | None:
    return None


def declared_price(model: Model, declared: ModelPrice) -> Price:
    """A declaration as a price."""
    rates = Rates(
        input=_rate(declared.input),
        cache_read=_rate(declared.cache_read),
        cache_write=_rate(declared.cache_write),
        cache_write_1h=_rate(declared.cache_write_1h),
        output=_rate(declared.output),
    )
    name, provider = model
    return Price("config", provider, name, (Terms(rates),), declared.context_window)


def _rate(dollars: float | None) -> Rate | None:
    """The shortest decimal that reads as this number: what was written, up to 15 digits."""
    return None if dollars is None else Rate(Decimal(repr(dollars).removesuffix(".0")))


def installed_list() -> str:
    """The name and version of the price list that a child would ask, as prices have it in `origin`.

    Read from the name of a folder: importlib.metadata costs 35 ms. Without the package the version is `missing`, so
    that everything is asked for when it is there.
    """
    spec = importlib.util.find_spec("genai_prices")
    if spec is None or spec.origin is None:
        return "genai-prices missing"
    found = [folder.name for folder in Path(spec.origin).parents[1].glob("genai_prices-*.dist-info")]
    if len(found) == 1:
        return f"genai-prices {found[0].removeprefix('genai_prices-').removesuffix('.dist-info')}"
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"


CHILD = (sys.executable, "-m", "engine.telemetry.price_list")


def ask_now(models: list[Model], environ: Mapping[str, str]) -> tuple[Price | None, ...]:
    """What the price list says about each model; None where it knows none. Raises QuarterdeckError."""
    try:
        done = subprocess.run(
            CHILD, input=_question(models), capture_output=True, timeout=ASK_S, env=with_import_path(environ)
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(str(error)) from None
    return _answer(done.returncode, done.stdout, done.stderr, len(models))


async def ask(models: list[Model], environ: Mapping[str, str]) -> tuple[Price | None, ...]:
    """As `ask_now`, without blocking the loop."""
    import asyncio  # `qd usage` has no loop, and need not wait for 16 ms of imports

    from engine.runtime.reaping import reaped

    pipe = asyncio.subprocess.PIPE
    try:
        child = await asyncio.create_subprocess_exec(
            *CHILD, stdin=pipe, stdout=pipe, stderr=pipe, env=with_import_path(environ)
        )
    except OSError as error:
        raise _failed(str(error)) from None
    try:
        async with asyncio.timeout(ASK_S):
            out, err = await child.communicate(_question(models))
    except TimeoutError:
        raise _failed(f"no answer in {ASK_S:.0f} s") from None
    finally:
        if child.returncode is None:
            await reaped(child)
    return _answer(child.returncode or 0, out, err, len(models))


def _question(models: list[Model]) -> bytes:
    return msgspec.json.encode([ModelName(name, provider) for name, provider in models])


def _answer(code: int, out: bytes, err: bytes, expected: int) -> tuple[Price | None, ...]:
    if code:
        last = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise _failed(last or f"it ended with code {code}")
    try:
        answers = msgspec.json.decode(out, type=tuple[Price | None, ...])
    except msgspec.DecodeError as error:
        raise _failed(f"not an answer: {error}") from None
    if len(answers) != expected:
        raise _failed(f"{len(answers)} answers to {expected} questions")
    return answers


def _failed(why: str) -> QuarterdeckError:
    return QuarterdeckError(
        f"the price list failed: {why}", "new models have no price until it works, or [prices] says"
    )
