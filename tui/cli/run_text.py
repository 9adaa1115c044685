"""How does a run look to a person? What was judged, expected, sent, used, changed and said, in lines that fit."""

import textwrap
from typing import Any

import msgspec

from engine.scopes.violations import Changes
from engine.scopes.violations import words as changes_words
from engine.sessions.reuse import WORDS
from tui.cli.sums import cost_cell
from tui.cli.verb import page, table
from tui.text import money, percent, plural

_SOURCE_LEAST = 12
"""Columns that a shortened source keeps."""


def run_words(view: dict[str, Any]) -> str:
    """A run as `run_view` gives it, with its `text` where that is known."""
    blocks = [_verdict(view), _ending(view), _expected(view), _receipt(view), _conversation(view), _kin(view)]
    text = view.get("text") or ""
    return "\n\n".join(block for block in (*blocks, _said(text) if text else "") if block)


def waiting_words(run_id: int, waits_for: str, approval: int | None, why: str) -> str:
    """`run 4 waits for your word: qd approve 3`: one line."""
    from engine.contract.verdict import WAITING_WORDS

    what = WAITING_WORDS.get(waits_for, waits_for)
    end = f"qd approve {approval} (or qd deny {approval}; qd approvals show {approval} tells all)" if approval else why
    return f"run {run_id} waits for {what}: {end}"


def hung(head: str, text: str) -> str:
    """A text that goes on below its own beginning where the page is narrow; what a terminal would obey is masked."""
    from tui.clean import clean

    width = page().width
    line = clean(text, len(text) + 1)
    if width is None:
        return f"{head}{line}".rstrip()
    lines = textwrap.wrap(line, max(20, width - len(head)), break_on_hyphens=False) or [""]
    return "\n".join(f"{head if number == 0 else ' ' * len(head)}{one}" for number, one in enumerate(lines)).rstrip()


def _verdict(view: dict[str, Any]) -> str:
    took = f" in {view['duration_s']:.1f} s" if view["duration_s"] is not None else ""
    lines = [
        hung("", f"run {view['run']}  {view['agent']}  {view['outcome'] or view['state']}{took}"),
        hung("  ", _asked_for(view)),
    ]
    for check in view["verdict"]["checks"]:
        mark = "ok" if check["ok"] else "NO"
        said = check["why"] + (f"; {check['fix']}" if check["fix"] else "")
        lines.append(hung(f"  {check['name']:<12}{mark}   ", said))
        if check["warning"]:
            lines.append(hung(f"  {'':<12}!    ", check["warning"]))
    return "\n".join(lines)


def _asked_for(view: dict[str, Any]) -> str:
    told = (("template", view["template"]), ("job", view["job"]), ("model", view["model"]))
    parts = [view["task_type"], f"{view['lane']} lane", f"asked for by {view['trigger']}"]
    return ", ".join((*parts, *(f"{kind} {name}" for kind, name in told if name)))


def _ending(view: dict[str, Any]) -> str:
    """What it waits for, why it ended, where it was stopped, and what it changed."""
    lines = []
    if view["waiting"]:
        waiting = view["waiting"]
        lines.append(hung("", waiting_words(view["run"], waiting["for"], waiting["approval"], view["why"] or "")))
        lines.append(f"until {_minute(waiting['until_at'])}; qd run stop {view['run']} withdraws it")
    elif view["why"] and (view["outcome"] != "succeeded" or not view.get("text")):
        lines.append(hung("", view["why"]))
    for at in view["stopped_at"] or ():
        limit = money(at["limit"], short=False) if at["unit"] == "microusd" else f"{at['limit']:,} tokens"
        lines.append(
            hung("", f"stopped at budget {at['budget']}, {limit} in its window since {_minute(at['window_start_at'])}")
        )
    if view["changes"]:
        lines.append(hung("", changes_words(msgspec.convert(view["changes"], Changes))))
    return "\n".join(lines)


def _minute(at: str | None) -> str:
    return at[:16].replace("T", " ") + " UTC" if at else "it is withdrawn"


def _expected(view: dict[str, Any]) -> str:
    lines = [_likely(view["estimate"])] if view["estimate"] else []
    if view["usage"]:
        lines.append(_used(view["usage"], view["estimate"]))
    return "\n".join(hung("", line) for line in lines)


def _likely(cost: dict[str, Any]) -> str:
    spread = f" ({cost['low_tokens']:,} to {cost['high_tokens']:,})"
    said = [f"expected {cost['likely_tokens']:,} tokens{spread}"]
    if cost["likely_microusd"] is not None:
        said[0] += f", {money(cost['likely_microusd'], short=False)}"
    past = f"from {plural(cost['runs'], 'run')} like it" if cost["basis"] == "history" else "as declared"
    said.append(past)
    if cost["calibration"] is not None:
        said.append(f"its provider counts {cost['calibration']:.2f} for each token of ours")
    if cost["error_median"] is not None:
        said.append(f"half of such estimates were {percent(cost['error_median'])} off or less")
    if cost["error_p90"] is not None:
        said.append(f"nine of ten {percent(cost['error_p90'])}")
    return "; ".join(said)


def _used(used: dict[str, Any], cost: dict[str, Any] | None) -> str:
    cached = used["cache_read_tokens"] + used["cache_write_tokens"]
    parts = [f"used {used['input_tokens']:,} in", f"{used['output_tokens']:,} out"]
    parts[1:1] = [f"{cached:,} cached"] if cached else []
    price = cost_cell(used)
    off = f"; {percent(cost['error'])} off" if cost and cost["error"] is not None else ""
    return f"{', '.join(parts)}, {'no price' if price == '-' else price} ({used['basis']}, {used['confidence']}){off}"


def _receipt(view: dict[str, Any]) -> str:
    receipt = view["receipt"]
    if receipt is None:
        return ""
    blocks = [_parts(receipt)]
    broken = receipt["cache_break"]
    if broken:
        lost = f"{broken['kept_tokens']:,} tokens can still be cached, {broken['lost_tokens']:,} are read anew"
        blocks.append(hung("", f"the cache breaks at {broken['part']}, which was {broken['why']}: {lost}"))
    levels: dict[str, list[str]] = {}
    for key, level in receipt["decided"].items():
        levels.setdefault(level, []).append(key)
    blocks += [hung(f"by {level}: ", ", ".join(keys)) for level, keys in levels.items()]
    return "\n".join(blocks)


def _parts(receipt: dict[str, Any]) -> str:
    """With sources cut from their left where the page is narrow: the end of a path tells more."""
    widest = max((len(part["source"]) for part in receipt["parts"]), default=0)
    made = _parts_table(receipt, widest)
    over = max(map(len, made.splitlines())) - (page().width or 10**6)
    return made if over <= 0 else _parts_table(receipt, max(_SOURCE_LEAST, widest - over))


def _parts_table(receipt: dict[str, Any], most: int) -> str:
    rows = [
        (part["kind"], _cut(part["source"], most), f"{part['tokens']:,}", "" if part["sent"] else "not sent again")
        for part in receipt["parts"]
    ]
    rows.append(("total", "", f"{receipt['tokens']:,}", ""))
    if receipt["everything_tokens"] is not None:
        rows.append(("everything", "", f"{receipt['everything_tokens']:,}", "had it all been injected"))
    return table(("part", "source", "tokens", ""), rows, right=(2,))


def _cut(source: str, most: int) -> str:
    return source if len(source) <= most else "…" + source[len(source) - most + 1 :]


def _conversation(view: dict[str, Any]) -> str:
    reason = view["reuse_reason"]
    return WORDS.get(reason, reason) if reason else ""


def _kin(view: dict[str, Any]) -> str:
    """Whose child it is, what it has spawned, and which run goes on with which."""
    lines = []
    if view["parent"] is not None:
        lines.append(f"asked for by run {view['parent']}, at depth {view['depth']}")
    if view["children"]:
        lines.append(f"has asked for {plural(view['children'], 'run')}")
    if view["resumes"] is not None:
        lines.append(f"goes on with run {view['resumes']}")
    if view["resumed_by"] is not None:
        lines.append(f"run {view['resumed_by']} goes on with it, once there is room: qd run show {view['resumed_by']}")
    return "\n".join(lines)


def _said(text: str) -> str:
    """As it is for a program that reads it; for a terminal without what that would obey."""
    if not page().short:
        return text.rstrip()
    from tui.clean import clean

    return "\n".join(clean(line, len(line) + 1) for line in text.rstrip().expandtabs(4).split("\n"))
