"""How much has a Codex conversation used so far, by its own rollout file?

`codex exec` reports totals of the whole conversation, over all its processes and what it was forked from. The file
holds the same totals after each response, also of a turn that came to no end.
"""

import re
from pathlib import Path

from engine.contract.launch import RunUsage
from engine.telemetry import codex_rows
from engine.telemetry.codex_rows import Tokens, Usage
from engine.telemetry.rows import BadRow, decode

_STEP_BYTES = 256 * 1024
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


def totals_of(home: Path, thread_id: str) -> Tokens | None:
    """The last running totals of this conversation; None where no file tells any."""
    if not _ID.fullmatch(thread_id):
        return None
    for folder, pattern in (("sessions", "*/*/*/"), ("archived_sessions", "")):
        for path in (home / folder).glob(f"{pattern}rollout-*-{thread_id}.jsonl"):
            found = _last_totals(path)
            if found is not None:
                return found
    return None


def used_since(totals: Tokens, before: Tokens) -> RunUsage:
    """The difference, each token in one of its parts."""
    used = totals.since(before)
    return RunUsage(used.uncached(), used.output, used.cached, used.cache_write)


def as_totals(usage: RunUsage) -> Tokens:
    """What is booked of a conversation, as its own totals would say it."""
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return Tokens(prompt, usage.cache_read_tokens, usage.cache_write_tokens, usage.output_tokens)


def _last_totals(path: Path) -> Tokens | None:
    """From the end on: such a file may be large."""
    try:
        with path.open("rb") as file:
            at, rest = file.seek(0, 2), b""
            while at > 0:
                start = max(0, at - _STEP_BYTES)
                file.seek(start)
                block = file.read(at - start) + rest
                rest, _, whole = block.partition(b"\n") if start else (b"", b"", block)
                found = _in_block(whole)
                if found is not None:
                    return found
                at = start
    except OSError:
        return None
    return None


def _in_block(block: bytes) -> Tokens | None:
    lines = [line for _, line in codex_rows.rows_with(block, codex_rows.COUNTERS)]
    for line in reversed(lines):
        try:
            event = decode(codex_rows.EVENT, decode(codex_rows.ROW, line).payload)
            info = codex_rows.info_of(event.info)
            totals: Usage | None = None if info is None else info.total_token_usage
            if totals is not None:
                return totals.tokens()
        except BadRow:
            continue
    return None
