"""How did a run of Claude Code end? Decided from what its output told and its exit code, neither of which is enough.

Measured on 2.1.329: it exits with 0 and no result when it is interrupted while it waits for the model, and the
subtype of an API error is `success`. A run is good only when it exits with 0, a result is there, and none is an error.
"""

import re
from collections.abc import Sequence

from engine.adapters.claude_events import Result
from engine.adapters.claude_usage import Tally, was_aborted
from engine.contract.launch import AdapterResult

NO_CONVERSATION = "No conversation found"
BAD_PROMPT = (400, 413, 422)
"""HTTP statuses that another model would answer the same: the request itself is at fault."""
_LIMITS = {"error_max_turns": "it may not ask its model more often", "error_max_budget_usd": "it may not cost more"}
_LONGEST = 300
"""Characters of a reason."""
_SAYS = re.compile(r"\S")


def outcome(
    results: Sequence[Result], tally: Tally, exit_code: int | None, last_error: str, so_far: str = ""
) -> AdapterResult:
    """`last_error`: the last line that it wrote to its standard error. `so_far`: what it has said since the last turn
    that it ended well; of one that is broken off, that is all there is."""
    last = results[-1] if results else None
    ok = exit_code == 0 and last is not None and not last.is_error
    answers = [one.result for one in results if one.result and not one.is_error]
    return AdapterResult(
        text="\n\n".join([*answers, *filter(None, [so_far.strip()])]),
        ok=ok,
        why="" if ok else _why(last, exit_code, last_error),
        usage=tally.usage,
        streamed=tally.streamed,
        raw_usage=_raw(tally.raw),
        resume_refused=_refused(last, last_error),
        unavailable=_unavailable(last),
        turns=tally.turns,
    )


def _why(last: Result | None, exit_code: int | None, last_error: str) -> str:
    if last is not None and last.is_error:
        if was_aborted(last):
            return "its turn was interrupted"
        told = first_line(" ".join(last.errors) or last.result or last.subtype)
        return f"{_LIMITS[last.subtype]}: {told}" if last.subtype in _LIMITS else told
    how = "ended by a signal" if exit_code is None else f"exited with code {exit_code}"
    without = "" if last is not None else " without an answer"
    return f"Claude Code {how}{without}" + (f": {last_error}" if last_error else "")


def _refused(last: Result | None, last_error: str) -> bool:
    told = " ".join(last.errors) if last is not None else last_error
    return NO_CONVERSATION in told


def _unavailable(last: Result | None) -> bool:
    """After its own retries."""
    if last is None or not last.is_error or last.terminal_reason != "api_error":
        return False
    return last.api_error_status not in BAD_PROMPT


def _raw(told: Sequence[str]) -> str | None:
    return None if not told else told[0] if len(told) == 1 else f"[{','.join(told)}]"


def first_line(text: str, longest: int = _LONGEST) -> str:
    """The first line that says anything, cut. However long the text is, no more of it is looked at."""
    begin = _SAYS.search(text)
    line = text[begin.start() : begin.start() + longest + 1].partition("\n")[0].strip() if begin else ""
    return line if len(line) <= longest else line[: longest - 1] + "\u2026"
