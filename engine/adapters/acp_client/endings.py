"""What does the end of a turn mean: an answer, a failure, or a model that another one may stand in for?"""

import json
import re
from typing import Any

from engine.adapters.acp_client.lines import clean, in_one_line
from engine.contract.launch import AdapterResult, RunUsage

AUTH_REQUIRED = -32000
NOT_FOUND = -32002
_STOPS = {
    "max_tokens": "its answer was cut: it reached the length that its model may answer",
    "max_turn_requests": "it asked its model as often as it may in one turn",
    "refusal": "it refuses to go on",
    "cancelled": "the turn was cancelled",
}
_KINDS = frozenset(
    ("rate_limit", "overloaded", "server_error", "authentication_failed", "billing_error", "model_not_found")
)
_CODES = frozenset((401, 402, 403, 404, 408, 429, *range(500, 600)))
_STATUS = re.compile(r"(?:error|status|code|http)\W{0,3}(?:code\W{0,3})?(\d{3})\b", re.IGNORECASE)
_WORDS = re.compile(
    r"overloaded|rate.?limit|quota|unavailable|model.{0,40}not (?:found|exist)|unauthori[sz]ed|not logged in|"
    r"authenticat|econn|enotfound|eai_again|etimedout|connection (?:error|refused|reset|closed)|fetch failed|"
    r"stream disconnected|timed? ?out",
    re.IGNORECASE,
)


class Failed(Exception):
    """A turn, or all of it, came to nothing; `result` says why."""

    def __init__(self, result: AdapterResult) -> None:
        super().__init__(result.why)
        self.result = result


def failed(why: str, *, unavailable: bool = False, resume_refused: bool = False) -> AdapterResult:
    return AdapterResult("", False, why, unavailable=unavailable, resume_refused=resume_refused)


def of_stop(reason: str, trouble: str | None, usage: RunUsage | None, raw: str | None) -> AdapterResult:
    """From a prompt's response. `trouble`: what the agent said when it told that its system had failed."""
    if trouble is not None:
        why = _within(trouble) or "it failed, and does not say why"
        return AdapterResult("", False, why, usage, raw_usage=raw, unavailable=is_unavailable(trouble))
    why = _STOPS.get(reason, "")
    return AdapterResult("", not why, why, usage, raw_usage=raw)


def of_error(code: Any, message: str, data: Any, doing: str) -> AdapterResult:
    """From an error that the agent answered while it was `doing` something."""
    details = data.get("details") if isinstance(data, dict) else None
    text = in_one_line(clean(message)) or "an error without words"
    if isinstance(details, str) and details:
        text = f"{text}: {in_one_line(clean(details))}"
    if code == AUTH_REQUIRED:
        return failed(f"{doing}: it is not logged in: {text}", unavailable=True)
    kind = data.get("errorKind") if isinstance(data, dict) else None
    unavailable = code in _CODES or kind in _KINDS or is_unavailable(message)
    return failed(f"{doing}: {_within(text) or text}", unavailable=unavailable)


def is_unavailable(text: str) -> bool:
    """Whether an error's words mean that the model could not be reached, or would not serve us."""
    statuses = {int(found) for found in _STATUS.findall(text)}
    return bool(statuses & _CODES) or (not statuses and _WORDS.search(text) is not None)


def _within(text: str) -> str:
    """The message inside of an error that is passed on as JSON; the first line of what is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return in_one_line(text)
    inner = found.get("error") if isinstance(found, dict) else None
    message = inner.get("message") if isinstance(inner, dict) else None
    return in_one_line(clean(message)) if isinstance(message, str) else in_one_line(text)
