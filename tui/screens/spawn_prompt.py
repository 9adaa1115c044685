"""What is a prompt made of, as it is sent? Its parts in their order, and where a cache stops to help."""

from engine.contract.verdict import CacheBreak, ReceiptPart, ReceiptView
from tui.text import plural
from tui.widgets.cells import Cell

_NAME = 34


def prompt_lines(receipt: ReceiptView) -> list[Cell]:
    """The parts that are sent, those that the conversation holds, and the cache."""
    if not receipt.parts:
        return [(("prompt      ", "dim"), ("nothing is sent", "dim"))]
    more = receipt.everything_tokens
    beside = f"   was {more:,} with everything" if more is not None and more > receipt.tokens else ""
    head: Cell = (
        ("prompt      ", "dim"),
        (f"{plural(receipt.tokens, 'token')}, as it is sent:", "text"),
        (beside, "dim"),
    )
    return [head, *(_part_line(part) for part in receipt.parts), *cache_lines(receipt.cache_break)]


def cache_lines(found: CacheBreak | None) -> list[Cell]:
    """`breaks at instructions AGENTS.md: changed, 1,204 tokens read anew`; nothing where it holds."""
    if found is None:
        return []
    said = f"breaks at {found.part}: {found.why}, {plural(found.lost_tokens, 'token')} read anew"
    return [(("cache       ", "dim"), (said, "warn"), (f"; {found.kept_tokens:,} before it still stand", "dim"))]


def _part_line(part: ReceiptPart) -> Cell:
    tokens = f"{part.tokens:>9,}" if part.sent else f"{'-':>9}"
    stable = "stable" if part.stable else "changes"
    said = stable if part.sent else f"(held: {part.tokens:,} are in the conversation already)"
    head: Cell = ((f"{'':<12}{part.kind:<13}", "dim"), (f"{part.source:<{_NAME}}", "text"))
    return (*head, (tokens, "text"), (f"  {said}", "dim"))
