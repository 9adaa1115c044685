"""What did a run use? As its agent reported it and as it is booked, side by side, with what the numbers rest on."""

from collections import Counter
from collections.abc import Sequence

from state.responses import BookedResponse
from state.usage import BASES, CONFIDENCES
from tui.reading.details import RunDetail
from tui.text import cost, money, plural
from tui.theme import Tone
from tui.widgets.cells import Cell

_PARTS = (
    ("input", "input", "input_tokens"),
    ("cache read", "cache_read", "cache_read_tokens"),
    ("cache write", "cache_write", "cache_write_tokens"),
    ("output", "output", "output_tokens"),
)
"""Name, field of what was reported, field of what is booked."""
_MODELS_SHOWN = 3
UNTOLD = "unknown: its program names no model, and has told of none"


def usage_lines(detail: RunDetail) -> list[Cell]:
    """A head, a row for each part and for the cost, and what else there is to say; summed over the responses."""
    run, rows = detail.run, detail.usage
    estimate = f"estimate {plural(run.estimate_tokens, 'token')}"
    if not rows and detail.raw is None:
        held = f", {detail.held:,} held by its budgets" if detail.held else ""
        if run.state == "settled" and _without_model(detail):
            return [_head("usage", UNTOLD)]
        state = "nothing was spent" if run.state == "refused" else "not known yet" if run.live else "none reported"
        return [_head("usage", f"{state}   ({estimate}{held})")]
    if detail.raw is None and _without_model(detail) and not any(map(_booked, rows)):
        return [_head("usage", UNTOLD)]
    used = sum(_booked(row) for row in rows)
    many = f", {plural(len(rows), 'response')}" if len(rows) != 1 else ""
    said = f"{plural(used, 'token')}{many}   ({estimate})" if rows else f"not booked yet   ({estimate})"
    return [
        _head("usage", said),
        ((f"  {'':<13}{'raw':>12}{'booked':>12}  basis", "dim"),),
        *_part_lines(detail, _basis_words(rows)),
        _cost_line(detail),
        *_beside(detail),
    ]


def _without_model(detail: RunDetail) -> bool:
    return detail.estimate is not None and detail.estimate.basis == "none"


def _part_lines(detail: RunDetail, basis: str) -> list[Cell]:
    lines: list[Cell] = []
    for name, reported, booked in _PARTS:
        raw = getattr(detail.raw, reported) if detail.raw else None
        ours = sum(getattr(row, booked) for row in detail.usage) if detail.usage else None
        beside = (basis if name == "input" else _lifetimes(detail.usage) if name == "cache write" else "") or ""
        if name == "output":
            beside = _reasoning(detail.usage)
        lines.append(
            ((f"  {name:<13}", "dim"), (f"{_number(raw):>12}{_number(ours):>12}", "text"), (f"  {beside}", "dim"))
        )
    return lines


def _cost_line(detail: RunDetail) -> Cell:
    rows = detail.usage
    unpriced = [row for row in rows if row.cost_microusd is None]
    ours = "-"
    if rows:
        ours = cost(sum(row.cost_microusd or 0 for row in rows), len(unpriced), len(rows), short=False)
    raw = money(detail.raw.cost_microusd, short=False) if detail.raw else "-"
    origins = sorted({row.price_origin or "reported by the agent" for row in rows if row.cost_microusd})
    free = bool(rows) and not unpriced and not origins
    said = "free" if free else ", ".join(origins)
    tone: Tone = "dim"
    if unpriced:
        said = f"{said}; " if said else ""
        said, tone = f"{said}{_unpriced(unpriced, detail.run.adapter)} ({plural(len(unpriced), 'response')})", "warn"
    return (("  cost         ", "dim"), (f"{raw:>12}{ours:>12}", "text"), (f"  {said}", tone))


def _unpriced(rows: Sequence[BookedResponse], adapter: str) -> str:
    """Where no model was named, its adapter stands in the books."""
    models = sorted({row.model or "unknown" for row in rows if row.model != adapter})
    return f"no price for {', '.join(models[:_MODELS_SHOWN])}" if models else "no price, as no model is named"


def _beside(detail: RunDetail) -> list[Cell]:
    rows = detail.usage
    lines: list[Cell] = []
    named = [None if row.model == detail.run.adapter else row.model or "unknown model" for row in rows]
    models = Counter(model or "none named" for model in named)
    factors = Counter(row.factors for row in rows if row.factors)
    facts = [name if number == len(rows) else f"{name} ({number:,})" for name, number in models.most_common()]
    if facts:
        lines.append(_fact("model", ", ".join(facts[:_MODELS_SHOWN])))
    if factors:
        lines.append(_fact("terms", ", ".join(f"{name} ({number:,})" for name, number in factors.most_common(3))))
    if detail.raw and detail.raw.beside:
        lines.append(_fact("also raw", ", ".join(detail.raw.beside)))
    odd = sum(row.raw is not None for row in rows)
    if odd:
        lines.append(_fact("odd", f"{plural(odd, 'response')} with keys that we do not know, kept as logged"))
    logs = sorted({(row.log, bool(row.log_gone)) for row in rows if row.log is not None})
    lines += [_fact("evidence", f"{path}{' (gone, kept by us)' if gone else ''}") for path, gone in logs[:2]]
    return lines


def _basis_words(rows: Sequence[BookedResponse]) -> str:
    """`per_run`, or each basis with its number; then how many are less than final."""
    bases, less = Counter(row.basis for row in rows), Counter(row.confidence for row in rows)
    said = [word if len(bases) == 1 else f"{bases[word]:,} {word}" for word in BASES if word in bases]
    return ", ".join([*said, *(f"{less[word]:,} {word}" for word in CONFIDENCES if word in less and word != "final")])


def _lifetimes(rows: Sequence[BookedResponse]) -> str:
    told = [("5 min", "cache_write_5m_tokens"), ("1 h", "cache_write_1h_tokens")]
    sums = [(name, sum(getattr(row, field) or 0 for row in rows)) for name, field in told]
    return ", ".join(f"{number:,} for {name}" for name, number in sums if number)


def _reasoning(rows: Sequence[BookedResponse]) -> str:
    number = sum(row.reasoning_tokens or 0 for row in rows)
    return f"{number:,} of it reasoning" if number else ""


def _booked(row: BookedResponse) -> int:
    return row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.output_tokens


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _fact(name: str, said: str) -> Cell:
    return ((f"  {name:<13}", "dim"), (said, "text"))


def _head(title: str, said: str) -> Cell:
    return ((title, "head"), (f"   {said}", "dim"))
