"""What does a status mean with which a server answers instead of a model?"""

import time
from typing import Any

import httpx
import msgspec

from engine.adapters.runner.faults import Again, Fault, Unavailable
from engine.adapters.runner.retry import may_pass, retry_after_s, unavailable

MOST_BYTES = 64 * 1024
LINE_CHARS = 300


def refusal(response: httpx.Response, key: str) -> Fault:
    """Reads the answer, of which it keeps one line; the key never stands in it."""
    status = response.status_code
    said = words(_body(response))
    why = f"the server answered {status}" + (f": {said.replace(key, '[key]') if key else said}" if said else "")
    if may_pass(status, response.headers):
        return Again(why, retry_after_s(response.headers, time.time()))
    return Unavailable(why) if unavailable(status) else Fault(why)


def _body(response: httpx.Response) -> bytes:
    body = b""
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MOST_BYTES:
                break
    except httpx.HTTPError:  # the status says enough
        pass
    return body[:MOST_BYTES]


def words(body: bytes) -> str:
    """What it says, in one line, however it is wrapped."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = body.decode("utf-8", "replace")
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    text = found if isinstance(found, str) else msgspec.json.encode(found).decode()
    return " ".join(text.split())[:LINE_CHARS]
