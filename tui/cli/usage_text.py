"""How does `qd usage` look to a person? A table that fits where that is possible, then what it rests on."""

from collections.abc import Callable, Sequence
from typing import Any

from state.rollups import Sums
from state.spend import Group
from tui.cli.sums import cost_cell, sums_view, tally
from tui.cli.verb import Page, exact, fitted, table
from tui.text import plural, tokens

MOST_NAMED = 8
NAME_CHARS = 60


def usage_text(by: str | None, groups: Sequence[Group], total: Sums, coverage: dict[str, Any], page: Page) -> str:
    """The table and what it rests on."""
    return "\n\n".join(part for part in (spent_table(by, groups, total, page), coverage_words(coverage)) if part)


def spent_table(by: str | None, groups: Sequence[Group], total: Sums, page: Page) -> str:
    """Every number exact where that fits; else without the sum of tokens, else, on a terminal, in short: `41.2k`."""
    rows = [*(groups if by else ()), Group("total", total)]
    ways = [(_ALL, exact), (_WITHOUT_SUM, exact), *([(_WITHOUT_SUM, tokens)] if page.short else [])]
    return fitted((_table(by or "", rows, columns, number) for columns, number in ways), page.width)


_WITHOUT_SUM = {
    "responses": "responses",
    "input": "input_tokens",
    "cache read": "cache_read_tokens",
    "cache write": "cache_write_tokens",
    "output": "output_tokens",
}
_ALL = _WITHOUT_SUM | {"tokens": "tokens"}


def _table(by: str, rows: Sequence[Group], columns: dict[str, str], number: Callable[[int], str]) -> str:
    cells = [
        (group.label or "-", *(number(getattr(group.sums, name)) for name in columns.values()), _cost(group.sums))
        for group in rows
    ]
    return table((by, *columns, "cost"), cells, right=range(1, len(columns) + 2))


def _cost(sums: Sums) -> str:
    return cost_cell(sums_view(sums))


def coverage_words(coverage: dict[str, Any]) -> str:
    """What the numbers rest on, and what they lack; only what there is to say."""
    said = [_unpriced(coverage["models_unpriced"]), _read(coverage), *_lacking(coverage)]
    return "\n".join(line for line in said if line)


def _unpriced(models: dict[str, int]) -> str:
    """Names come from logs, and whoever wrote those may have thought of anything."""
    if not models:
        return ""
    from tui.clean import clean

    most = sorted(models, key=lambda name: (-models[name], name))
    named = [f"{clean(name, NAME_CHARS)} ({plural(models[name], 'response')})" for name in most[:MOST_NAMED]]
    if len(most) > MOST_NAMED:
        named.append(f"and {plural(len(most) - MOST_NAMED, 'more model')}")
    return f"no price for: {', '.join(named)}; give one under [prices]"


def _read(coverage: dict[str, Any]) -> str:
    refused, dropped = coverage["lines_refused"], coverage["duplicates_dropped"]
    parts = [
        f"from {plural(coverage['files'], 'log')}, {plural(coverage['lines'], 'line')}",
        f"{sum(refused.values()):,} refused" + (f" ({tally(refused)})" if refused else ""),
    ]
    if dropped:
        parts.append(f"{plural(sum(dropped.values()), 'repeat')} dropped ({tally(dropped)})")
    if coverage["files_gone"]:
        parts.append(f"{plural(coverage['files_gone'], 'log')} gone, what they told is kept")
    if coverage["files_unreadable"]:
        parts.append(f"{plural(coverage['files_unreadable'], 'log')} unreadable")
    return "; ".join(parts)


def _lacking(coverage: dict[str, Any]) -> list[str]:
    found = coverage["responses_by_confidence"]
    return [
        f"{plural(found[name], 'response')} {name}: {meaning}"
        for name, meaning in (
            ("partial", "the client never wrote the finished figure, so its output may be too low"),
            ("inferred", "a rule had to decide, and may be wrong"),
        )
        if found[name]
    ]
