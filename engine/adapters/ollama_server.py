"""Is there an Ollama server, and has it this model? Asked before a run is admitted, so it must be quick."""

import http.client
import time
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

CONNECT_S = 0.3
KNOWN_S = 15.0
"""How long it holds that a model is there."""
LACKING_S = 2.0
"""How long it holds that one is not, or no server: the operator may be mending just that."""
MOST_BYTES = 4 * 1024 * 1024


class _Model(Struct, frozen=True):
    name: str = ""
    model: str = ""


class _Tags(Struct, frozen=True):
    models: tuple[_Model, ...] | None = None


class _Seen(Struct, frozen=True):
    at_s: float
    trouble: str
    models: frozenset[str] | None
    """None: it did not say."""


_seen: dict[str, _Seen] = {}


def lacks_model(url: str, model: str) -> tuple[str, str]:
    """Why this server cannot answer as this model, and what to do; empty when it can, or does not say."""
    seen = _looked(url, model)
    if seen.trouble:
        return f"Ollama does not answer at {url}: {seen.trouble}", "start it (ollama serve), or set base_url"
    if _has(seen, model):
        return "", ""
    return f"Ollama at {url} has no model '{model}'", f"ollama pull {model}"


def _has(seen: _Seen, model: str) -> bool:
    return seen.models is None or bool({model, f"{model}:latest"} & seen.models)


def _looked(url: str, model: str) -> _Seen:
    known, now_s = _seen.get(url), time.monotonic()
    if known is not None:
        holds_s = LACKING_S if known.trouble or not _has(known, model) else KNOWN_S
        if now_s <= known.at_s + holds_s:
            return known
    _seen[url] = _look(url)
    return _seen[url]


def _look(url: str) -> _Seen:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=CONNECT_S)
        try:
            connection.request("GET", f"{parts.path}/api/tags")
            answer = connection.getresponse()
            raw = answer.read(MOST_BYTES) if answer.status == 200 else b""
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _Seen(time.monotonic(), str(error) or type(error).__name__, None)
    return _Seen(time.monotonic(), "", _names(raw))


def _names(raw: bytes) -> frozenset[str] | None:
    try:
        models = msgspec.json.decode(raw, type=_Tags).models
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return None if models is None else frozenset(name for one in models for name in (one.name, one.model))
