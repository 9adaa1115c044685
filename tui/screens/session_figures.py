"""What is known of a conversation beside its sums? Its context, its cache, and what its client itself says."""

from typing import TYPE_CHECKING

from state.sessions import Generation
from tui.reading.details import SessionDetail
from tui.text import STALE_MS, ago, money, percent, plural
from tui.theme import Tone
from tui.widgets.cells import Cell

if TYPE_CHECKING:
    from tui.reading.figures import ConversationFigures

_ORIGINS = {"log": "the client's log", "prices": "the price list", "config": "your configuration"}
_PARTS = ("input", "cache read", "cache write", "output")
_REPEATS_SHOWN = 3


def figure_lines(detail: SessionDetail, standing: Generation, now_ms: int) -> list[Cell]:
    """A line for each thing that is known; none for a conversation that has not said anything."""
    found = detail.figures.get(standing.id)
    if found is None or standing.responses == 0:
        return []
    lines = [
        _context(standing, found),
        _cache(found),
        *_confidence(standing),
        *_client(found, now_ms),
        *_repeats(found),
        *_log(found),
    ]
    if now_ms - detail.session.last_active_ms > STALE_MS:
        lines[0] = (*lines[0], (f"   as of {ago(detail.session.last_active_ms, now_ms)}", "dim"))
    return lines


def _context(generation: Generation, found: "ConversationFigures") -> Cell:
    if generation.context_tokens is None:
        return _fact("context", "unknown", "its client does not log it")
    if found.window.tokens is None or found.fill is None:
        unknown = f"the window of {generation.model or 'its model'} is unknown"
        return _fact("context", plural(generation.context_tokens, "token"), unknown)
    tone: Tone = "warn" if found.fill >= 0.8 else "text"
    origin = _ORIGINS.get(found.window.source, found.window.source)
    said = f"{percent(found.fill)}: {generation.context_tokens:,} of {plural(found.window.tokens, 'token')}"
    return _fact("context", said, f"window from {origin}", tone)


def _cache(found: "ConversationFigures") -> Cell:
    if found.ratio is None:
        return _fact("cache", "no input yet")
    trend = f", {found.trend}" if found.trend else ""
    latest = " ".join(percent(ratio).rstrip("%") for ratio in found.ratios)
    beside = f"last responses: {latest}" if latest else ""
    tone: Tone = "warn" if found.trend == "falling" else "text"
    return _fact("cache", f"{percent(found.ratio)} of all input was read from it{trend}", beside, tone)


def _confidence(generation: Generation) -> list[Cell]:
    said = []
    if generation.partial:
        said.append(f"{plural(generation.partial, 'response')} never finished in the log: output is too low")
    if generation.inferred:
        said.append(f"{plural(generation.inferred, 'response')} decided by a rule")
    return [_fact("confidence", "; ".join(said), tone="warn")] if said else []


def _client(found: "ConversationFigures", now_ms: int) -> list[Cell]:
    """Whether the client's own sums are the same as ours."""
    if found.client is None or found.difference is None:
        return []
    client = found.client
    total = client.input_tokens + client.cache_read_tokens + client.cache_write_tokens + client.output_tokens
    priced = f", {money(client.cost_microusd, short=False)}" if client.cost_microusd is not None else ""
    beside = f"{client.kind}, {ago(client.at_ms, now_ms)}"
    told = f"says {plural(total, 'token')}{priced}"
    if not any(found.difference):
        return [_fact("client", f"{told}: the same as we do", beside)]
    differs = ", ".join(f"{number:+,} {part}" for part, number in zip(_PARTS, found.difference, strict=True) if number)
    return [_fact("client", f"{told}: {differs} against ours", beside, "warn")]


def _repeats(found: "ConversationFigures") -> list[Cell]:
    said = [
        f"{plural(responses, 'response')} of session {session}" for session, responses in found.repeats[:_REPEATS_SHOWN]
    ]
    rest = len(found.repeats) - len(said)
    more = f" and of {plural(rest, 'other session')}" if rest else ""
    return [_fact("copied", f"repeats {', '.join(said)}{more}", "counted there")] if said else []


def _log(found: "ConversationFigures") -> list[Cell]:
    return [_fact("log", "gone, kept by us", tone="warn")] if found.log_gone else []


def _fact(name: str, said: str, beside: str = "", tone: Tone = "text") -> Cell:
    return ((f"{name:<11}", "dim"), (said, tone), (f"   {beside}" if beside else "", "dim"))
