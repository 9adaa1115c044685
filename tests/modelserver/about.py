"""Which paths are there, and what do those say that call no model: counts, models, versions, errors?"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from tests.modelserver import anthropic, chat, ollama, responses
from tests.modelserver.wire import Wire

CREATED_AT = "2026-01-01T00:00:00Z"
CALLS: dict[str, Wire] = {
    "/v1/messages": anthropic.WIRE,
    "/v1/responses": responses.WIRE,
    "/v1/chat/completions": chat.WIRE,
    "/api/chat": ollama.WIRE,
}
COUNTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "/v1/messages/count_tokens": lambda tokens: {"input_tokens": tokens},
    "/v1/responses/input_tokens": lambda tokens: {"object": "response.input_tokens", "input_tokens": tokens},
}
WIRES = {("POST", path): wire for path, wire in CALLS.items()} | {
    ("POST", "/v1/messages/count_tokens"): anthropic.WIRE,
    ("POST", "/v1/responses/input_tokens"): responses.WIRE,
}
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def error_type(status: int) -> str:
    return ERROR_TYPES.get(status, "api_error")


def kind(method: str, path: str) -> str:
    """The record's word for a path."""
    if (method, path) in WIRES:
        return "count" if path in COUNTS else "model"
    return "about" if (method, path) in ABOUT else "unknown"


def _models(body: Any, models: tuple[str, ...]) -> tuple[int, Any]:
    """One list that both OpenAI's and Anthropic's clients can read."""
    rows = [
        {"id": name, "object": "model", "type": "model", "display_name": name, "created": 0, "created_at": CREATED_AT}
        for name in models
    ]
    return 200, {"object": "list", "data": rows, "has_more": False, "first_id": models[0], "last_id": models[-1]}


def _details() -> dict[str, Any]:
    return {"format": "gguf", "family": "llama", "parameter_size": "3B", "quantization_level": "Q4_K_M"}


def _tags(body: Any, models: tuple[str, ...]) -> tuple[int, Any]:
    rows = [
        {"name": name, "model": name, "modified_at": CREATED_AT, "size": 1, "digest": "0" * 64, "details": _details()}
        for name in models
    ]
    return 200, {"models": rows}


def _show(body: Any, models: tuple[str, ...]) -> tuple[int, Any]:
    name = body.get("model") or body.get("name")
    if name not in models:
        return 404, {"error": f"model '{name}' not found"}
    info = {"general.architecture": "llama", "llama.context_length": 131_072}
    return 200, {"details": _details(), "model_info": info, "capabilities": ["completion", "tools", "thinking"]}


ABOUT: dict[tuple[str, str], Callable[[Any, tuple[str, ...]], tuple[int, Any]]] = {
    ("GET", "/v1/models"): _models,
    ("GET", "/api/tags"): _tags,
    ("POST", "/api/show"): _show,
    ("GET", "/api/version"): lambda body, models: (200, {"version": "0.12.0"}),
    ("HEAD", "/"): lambda body, models: (200, {}),
}


def answer(method: str, path: str, body: Any, models: tuple[str, ...]) -> tuple[int, Any]:
    """Status and body for what calls no model."""
    if (method, path) in ABOUT:
        return ABOUT[method, path](body, models)
    status = HTTPStatus.NOT_FOUND
    return status.value, {"error": {"type": "not_found_error", "message": f"there is no {method} {path} here"}}
