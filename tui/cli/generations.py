"""What did each generation of a session use, does its client say the same, and are its logs still there?"""

from collections.abc import Iterator
from typing import Any

import msgspec

from engine.contract.clock import iso
from state import logs, prices, sessions
from state.database import Connection
from state.sessions import Generation
from tui.cli.sums import known_cost
from tui.cli.verb import times
from tui.text import plural, tokens

TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def views(connection: Connection, session_id: int) -> list[dict[str, Any]]:
    """Every generation as JSON, oldest first."""
    found = sessions.generations(connection, session_id)
    windows = _windows(connection) if any(one.model and one.context_window is None for one in found) else {}
    return [_view(connection, one, windows) for one in found]


def _view(connection: Connection, generation: Generation, windows: dict[str, int]) -> dict[str, Any]:
    view = times(msgspec.structs.asdict(generation))
    unpriced, partial, inferred = view.pop("unpriced"), view.pop("partial"), view.pop("inferred")
    priced = windows.get(generation.model or "")
    return view | {
        "tokens": sum(getattr(generation, name) for name in TOKENS),
        "cost_microusd": known_cost(generation.cost_microusd, generation.responses, unpriced)
        if generation.read
        else None,
        "responses_unpriced": unpriced,
        "responses_by_confidence": {
            "final": generation.responses - partial - inferred,
            "partial": partial,
            "inferred": inferred,
        },
        "context_window": generation.context_window or priced,
        "window_from": "log" if generation.context_window else "prices" if priced else None,
        "client": _client(connection, generation),
        "copied_from": [
            {"session": session, "responses": responses}
            for session, responses in logs.copied_from(connection, generation.id)
        ],
        "logs": _logs(connection, generation),
    }


def _windows(connection: Connection) -> dict[str, int]:
    """Context windows by model, from the price list."""
    found: dict[str, int] = {}
    for model in prices.known_models(connection):
        found[model.name] = max(found.get(model.name, 0), model.context_window or 0)
    return found


def _client(connection: Connection, generation: Generation) -> dict[str, Any] | None:
    """What the client itself says, less what we booked here and what its log only repeats from other sessions."""
    said = logs.client_totals(connection, generation.id)
    if said is None:
        return None
    copied = dict(zip(TOKENS, logs.copied(connection, generation.id), strict=True))
    ours = {name: getattr(generation, name) + copied[name] for name in TOKENS}
    return {
        "kind": said.kind,
        "at": iso(said.at_ms),
        **{name: getattr(said, name) for name in TOKENS},
        "cost_microusd": said.cost_microusd,
        "difference": {name: getattr(said, name) - ours[name] for name in TOKENS},
    }


def _logs(connection: Connection, generation: Generation) -> list[dict[str, Any]]:
    """The logs that its booked responses come from."""
    return [{"path": path, "gone_at": iso(gone_ms)} for path, gone_ms in logs.of_generation(connection, generation.id)]


def remarks(view: dict[str, Any]) -> Iterator[str]:
    """What there is to say about a generation beyond its figures, a line each."""
    if view["context_tokens"] is not None:
        yield f"context {tokens(view['context_tokens'])} tokens{_of_window(view)}"
    if view["client"] is not None:
        yield _comparison(view["client"])
    for copied in view["copied_from"]:
        yield f"repeats {plural(copied['responses'], 'response')} of session {copied['session']}, counted there"
    for log in view["logs"]:
        if log["gone_at"]:
            yield f"log gone, kept by us: {log['path']}"


def _of_window(view: dict[str, Any]) -> str:
    window, came_from = view["context_window"], view["window_from"]
    if not window:
        return " of an unknown window"
    return f" of {tokens(window)}, {100 * view['context_tokens'] // window}% (window from {came_from})"


def _comparison(client: dict[str, Any]) -> str:
    parts = [
        f"{name.removesuffix('_tokens').replace('_', ' ')} {number:+,}"
        for name, number in client["difference"].items()
        if number
    ]
    return f"client says {', '.join(parts) or 'the same'} ({client['kind']})"
