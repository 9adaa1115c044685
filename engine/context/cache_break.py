"""Where does a prompt stop being the one before it, so that a cache must read anew? And what invites that?"""

from collections.abc import Sequence
from itertools import pairwise

from engine.context.fill import uses
from engine.contract.launch import Prompt
from engine.contract.route import Route
from engine.contract.verdict import CacheBreak, ReceiptPart

LARGE_TEMPLATE_TOKENS = 150
"""A prompt template goes with every prompt: what is longer belongs into a conversation's opening."""
_RUNS = 3
"""So many changes in a row are no accident."""


def cache_break(parts: Sequence[ReceiptPart], previous_parts: Sequence[ReceiptPart]) -> CacheBreak | None:
    """The first part at which the stable run of the previous prompt ends in this one; None when all of it stands.

    That run goes up to the last stable part: one before it that changes from run to run breaks it like any other.
    """
    stable = [place for place, part in enumerate(previous_parts) if part.stable]
    run = previous_parts[: stable[-1] + 1] if stable else ()
    for place, before in enumerate(run):
        now = parts[place] if place < len(parts) else None
        if now is None or not _same(now, before):
            return _broken(parts, previous_parts, place)
    return None


def _broken(parts: Sequence[ReceiptPart], previous: Sequence[ReceiptPart], place: int) -> CacheBreak:
    before, rest = previous[place], parts[place:]
    kept = sum(part.tokens for part in parts[:place]) + sum(part.tokens for part in rest if not part.sent)
    lost = sum(part.tokens for part in rest if part.stable and part.sent)
    if rest and _key(rest[0]) == _key(before):
        return CacheBreak(_name(rest[0]), "changed", kept, lost)
    if _key(before) not in map(_key, parts):
        return CacheBreak(_name(before), "removed", kept, lost)
    if _key(rest[0]) not in map(_key, previous):
        return CacheBreak(_name(rest[0]), "added", kept, lost)
    return CacheBreak(_name(rest[0]), "moved", kept, lost)


def prompt_warnings(route: Route, prompt: Prompt, earlier: Sequence[Sequence[ReceiptPart]]) -> tuple[str, ...]:
    """What the operator should know of a prompt template.

    `earlier`: the prompts of this session's last runs, the newest first.
    """
    sent = next((part for part in prompt.parts if part.kind == "prompt"), None)
    if sent is None:
        return ()
    found = []
    if sent.tokens > LARGE_TEMPLATE_TOKENS:
        much = f"the prompt template has {sent.tokens:,} tokens and goes with every prompt"
        found.append(f"{much}; what need not be said each time belongs into bootstrap_template")
    changing = ", ".join(f"{{{name}}}" for name in uses(route.prompt_template or ""))
    if changing:
        found.append(f"the prompt template changes on every run, because it uses {changing}: no cache can hold it")
    elif _changed_each_time(sent.sha256, earlier):
        found.append(f"the prompt template was another one in each of the last {_RUNS} runs: no cache can hold it")
    return tuple(found)


def _changed_each_time(sha256: str, earlier: Sequence[Sequence[ReceiptPart]]) -> bool:
    hashes = [sha256, *(next((p.sha256 for p in parts if p.kind == "prompt"), "") for parts in earlier[:_RUNS])]
    differ = all(now != before for now, before in pairwise(hashes))
    return len(hashes) > _RUNS and "" not in hashes and differ


def _same(part: ReceiptPart, other: ReceiptPart) -> bool:
    return (part.kind, part.source, part.sha256) == (other.kind, other.source, other.sha256)


def _key(part: ReceiptPart) -> tuple[str, str]:
    """What makes it the same part with other content: of files there are several, of the rest one each."""
    return part.kind, part.source if part.kind == "file" else ""


def _name(part: ReceiptPart) -> str:
    return f"{part.kind} {part.source}"
