"""What did each generation of a session use, does its client say the same, and are its logs still there?"""

from collections.abc import Iterator
from typing import Any

import msgspec

from engine.contract.clock import iso
from engine.sessions.reuse import WORDS
from state import logs, prices, responses, sessions
from state.database import Connection
from state.sessions import Generation
from tui.cli.sums import known_cost
from tui.cli.verb import times
from tui.text import money, plural, token_words, tokens

TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def views(connection: Connection, session_id: int) -> list[dict[str, Any]]:
    """Every generation as JSON, oldest first."""
    found = sessions.generations(connection, session_id)
    windows = _windows(connection) if any(one.model and one.context_window is None for one in found) else {}
    return [_view(connection, one, windows) for one in found]


def _view(connection: Connection, generation: Generation, windows: dict[str, tuple[int, str]]) -> dict[str, Any]:
    view = times(msgspec.structs.asdict(generation))
    unpriced, partial, inferred = view.pop("unpriced"), view.pop("partial"), view.pop("inferred")
    told = windows.get(generation.model or "", (None, None))
    window, came_from = (generation.context_window, "log") if generation.context_window else told
    return view | {
        "tokens": sum(getattr(generation, name) for name in TOKENS),
        "cost_microusd": known_cost(generation.cost_microusd, generation.responses, unpriced)
        if generation.read and generation.responses
        else None,
        "responses_unpriced": unpriced,
        "responses_by_confidence": {
            "final": generation.responses - partial - inferred,
            "partial": partial,
            "inferred": inferred,
        },
        "context_window": window,
        "window_from": came_from,
        "client": _client(connection, generation),
        "copied_from": [
            {"session": session, "responses": responses}
            for session, responses in logs.copied_from(connection, generation.id)
        ],
        "logs": _logs(connection, generation),
    }


def _windows(connection: Connection) -> dict[str, tuple[int, str]]:
    """Context windows by model, and whose they are: what the operator declares goes before the price list."""
    found: dict[str, tuple[int, str]] = {}
    known = prices.known_models(connection)
    for came_from, told in (
        ("prices", [(model.name, model.context_window) for model in known]),
        ("config", [(model.name, model.declared_window) for model in known]),
    ):
        widest: dict[str, int] = {}
        for name, window in told:
            if window:
                widest[name] = max(widest.get(name, 0), window)
        found |= {name: (window, came_from) for name, window in widest.items()}
    return found


def _client(connection: Connection, generation: Generation) -> dict[str, Any] | None:
    """What the client itself says, less what we booked here and what its log only repeats from other sessions. It
    says so now and then: what was used after that cannot be compared with it."""
    said = logs.client_totals(connection, generation.id)
    if said is None:
        return None
    copied = dict(zip(TOKENS, logs.copied(connection, generation.id), strict=True))
    ours = {name: getattr(generation, name) + copied[name] for name in TOKENS}
    last = responses.of_generation(connection, generation.id, 1)
    is_behind = bool(last) and last[0].at_ms > said.at_ms
    return {
        "kind": said.kind,
        "at": iso(said.at_ms),
        **{name: getattr(said, name) for name in TOKENS},
        "cost_microusd": said.cost_microusd,
        "difference": None if is_behind else {name: getattr(said, name) - ours[name] for name in TOKENS},
    }


def _logs(connection: Connection, generation: Generation) -> list[dict[str, Any]]:
    """The logs that its booked responses come from."""
    return [{"path": path, "gone_at": iso(gone_ms)} for path, gone_ms in logs.of_generation(connection, generation.id)]


def beginning(view: dict[str, Any]) -> str:
    """When a generation began, and why."""
    note = f" ({view['note']})" if view["note"] else ""
    return f"since {view['started_at'][:16].replace('T', ' ')}, {WORDS.get(view['reason'], view['reason'])}{note}"


def remarks(view: dict[str, Any]) -> Iterator[str]:
    """What there is to say about a generation beyond its figures, a line each."""
    if view["context_tokens"] is not None:
        yield f"context {token_words(view['context_tokens'])}{_of_window(view)}"
    if view["client"] is not None and view["client"]["difference"] is not None:
        yield _comparison(view)
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


def _comparison(view: dict[str, Any]) -> str:
    client = view["client"]
    parts = [
        f"{name.removesuffix('_tokens').replace('_', ' ')} {number:+,}"
        for name, number in client["difference"].items()
        if number
    ]
    if not parts and _costs_differ(view):
        costs = (client["cost_microusd"], view["cost_microusd"])
        says, ours = (money(cost, short=False) for cost in costs)
        if says == ours:
            says, ours = (f"${cost / 1_000_000:.4f}" for cost in costs)
        return f"client says the same tokens; it says {says}, we say {ours} ({client['kind']})"
    return f"client says {', '.join(parts) or 'the same'} ({client['kind']})"


def _costs_differ(view: dict[str, Any]) -> bool:
    """By more than one percent, and more than rounding each response does. Only what is complete can be compared."""
    theirs, ours = view["client"]["cost_microusd"], view["cost_microusd"]
    if theirs is None or ours is None or view["responses_unpriced"] or view["copied_from"]:
        return False
    return bool(abs(theirs - ours) > max(max(theirs, ours) / 100, view["responses"]))
