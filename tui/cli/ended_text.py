"""What does `qd run` say when it is over? The answer, and one line of what became of it; of a refusal, what failed."""

from typing import Any

from tui.cli.run_text import (
    answer_words,
    ending_words,
    hung,
    is_untold,
    kin_words,
    last_words,
    over_limit,
    price_words,
    run_words,
    violation_words,
)
from tui.cli.run_view import violated
from tui.cli.sums import cost_cell
from tui.text import plural


def ended_words(view: dict[str, Any]) -> str:
    """A run as `run_view` gives it, with its `text`. All that is known of it is in `qd run show`."""
    if view["outcome"] is None:
        return run_words(view) if view["waiting"] else f"{_head(view)}; qd run show {view['run']} --follow"
    if view["outcome"] == "refused" and any(not check["ok"] for check in view["verdict"]["checks"]):
        return _joined(_refusal(view), kin_words(view))
    ending = ending_words(view) if view["outcome"] != "succeeded" or not view["text"] else ""
    said = "\n".join(part for part in (outcome_line(view), ending, kin_words(view)) if part)
    return _joined(_warnings(view), answer_words(view), last_words(view), said, violation_words(view))


def outcome_line(view: dict[str, Any]) -> str:
    """`run 12  claude_code  succeeded in 3.1 s  12,242 tokens  $0.06; qd run show 12`."""
    parts = [_head(view), *_usage(view)]
    parts += [over_limit(view)] if over_limit(view) else []
    parts += ["VIOLATION"] if violated(view) else []
    return hung("", f"{'  '.join(parts)}; qd run show {view['run']}")


def _head(view: dict[str, Any]) -> str:
    took = f" in {view['duration_s']:.1f} s" if view["duration_s"] is not None else ""
    return f"run {view['run']}  {view['agent']}  {view['outcome'] or view['state']}{took}"


def _usage(view: dict[str, Any]) -> list[str]:
    used = view["usage"]
    if used is None or is_untold(view):
        return ["tokens unknown"] if view["started_at"] and view["outcome"] else []
    words = price_words(view)
    known = bool(words) and used["cost_microusd"] is not None
    return [plural(used["tokens"], "token"), *([cost_cell(used)] if known else words)]


def _refusal(view: dict[str, Any]) -> str:
    checks = view["verdict"]["checks"]
    failed = [check for check in checks if not check["ok"]]
    lines = [hung("", f"run {view['run']}  {view['agent']}  refused")]
    for check in failed:
        lines.append(hung(f"  {check['name']:<12}NO   ", check["why"]))
        lines += [hung(f"  {'':<17}", check["fix"])] if check["fix"] else []
    passed = plural(len(checks) - len(failed), "check")
    return "\n".join((*lines, f"{passed} passed; nothing was started or spent; qd run show {view['run']}"))


def _warnings(view: dict[str, Any]) -> str:
    warned = [check for check in view["verdict"]["checks"] if check["warning"]]
    return "\n".join(hung(f"! {check['name']}: ", check["warning"]) for check in warned)


def _joined(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block)
