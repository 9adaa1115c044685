"""How does a run look to a person? What was judged, expected, sent, used, changed and said, in lines that fit."""

import shlex
import textwrap
from typing import Any

import msgspec

from engine.admission.admit import READS
from engine.admission.words import dollars
from engine.contract.verdict import CHECKS, WAITING_WORDS
from engine.scopes.violations import NAMED, Changes
from engine.scopes.violations import words as changes_words
from engine.sessions.reuse import WORDS
from tui.cli.run_view import violated
from tui.cli.verb import declared_key, page, table
from tui.reading.run_words import Over, answers_words, over_words, questions_words
from tui.text import percent, plural

_SOURCE_LEAST = 12
"""Columns that a shortened source keeps."""
_LAST_LINES = 10
"""Of its standard error."""


def run_words(view: dict[str, Any], note: str = "", *, answered: bool = False) -> str:
    """A run as `run_view` gives it, with its `text` where that is known, and a note before that. What it did against
    its scope stands last, where it is seen. `answered`: its text stands above already."""
    blocks = [_verdict(view), ending_words(view), _expected(view), _receipt(view), _conversation(view), kin_words(view)]
    after = [last_words(view), note, "" if answered else answer_words(view), violation_words(view)]
    return "\n\n".join(block for block in (*blocks, *after) if block)


def waiting_words(run_id: int, waits_for: str, approval: int | None, why: str) -> str:
    """`run 4 waits for your word: qd approve 3`: one line."""
    return f"run {run_id} {_waits(waits_for, approval, why)}"


def _waits(waits_for: str, approval: int | None, why: str) -> str:
    """Without the name of the check, which what it waits for says already; a budget is named once."""
    if approval:
        more = f"or qd deny {approval}; qd approvals show {approval} tells all"
        return f"waits for your word: qd approve {approval} ({more})"
    check, colon, rest = why.partition(": ")
    reason = rest if colon and check in CHECKS else why
    budget, colon, rest = reason.partition(": ")
    if waits_for == "budget" and colon:
        return f"waits for room in budget {budget}: {rest}"
    return f"waits for {WAITING_WORDS.get(waits_for, waits_for)}: {reason}"


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
        *([hung("  program  ", shlex.join(view["argv"]))] if view["argv"] else []),
    ]
    for check in view["verdict"]["checks"]:
        mark = "ok" if check["ok"] else "NO"
        said = check["why"] + (f"; {check['fix']}" if check["fix"] else "")
        lines.append(hung(f"  {check['name']:<12}{mark}   ", said))
        if check["warning"]:
            lines.append(hung(f"  {'':<12}!    ", check["warning"]))
    return "\n".join(lines)


def _asked_for(view: dict[str, Any]) -> str:
    told = (("template", view["template"]), ("job", view["job"]), ("model", _model(view)))
    parts = [view["task_type"], f"{view['lane']} lane", f"asked for by {view['trigger']}"]
    return ", ".join((*parts, *(f"{kind} {name}" for kind, name in told if name)))


def _model(view: dict[str, Any]) -> str | None:
    """Nothing where none was named: there its adapter stands in the books."""
    return None if view["model"] == view["adapter"] else view["model"]


def ending_words(view: dict[str, Any]) -> str:
    """What it waits for, why it ended, where it was stopped, and what it changed, but for what violates its scope."""
    lines = []
    why = "" if _is_violation(view["why"]) else view["why"] or ""
    if view["waiting"]:
        waiting = view["waiting"]
        lines.append(hung("", waiting_words(view["run"], waiting["for"], waiting["approval"], why)))
        lines.append(f"until {_minute(waiting['until_at'])}; qd run stop {view['run']} withdraws it")
    elif why and (view["outcome"] != "succeeded" or not view.get("text")):
        lines.append(hung("", why))
    lines += [hung("", _stopped(at)) for at in view["stopped_at"] or ()]
    lines += [hung("", line) for line in _held(view)]
    lines += [hung("", changed_words(view))] if view["changes"] and not violated(view) else []
    return "\n".join(line for line in lines if line)


def _held(view: dict[str, Any]) -> list[str]:
    """What held it while it lived, how hard its end was, and what it asked."""
    told = [held_words(view)] if view["sandbox"] else []
    told += [answers_words(view["turns"])] if view["turns"] else []
    told += [over_limit(view)] if over_limit(view) else []
    told += ["had to be killed after the grace"] if view["escalated"] else []
    left = "process" if view["leaked"] == 1 else "processes"
    told += [f"{view['leaked']} {left} that it left behind had to be ended"] if view["leaked"] else []
    lines = ["; ".join(told)] if told else []
    if view["turn_of"] is not None:
        lines.append(f"a turn in the program of run {view['turn_of']}")
    if view["asked"]:
        lines.append(questions_words(one["state"] for one in view["asked"]))
    asked = [f"{one['state']}: {one['tool']} {one['what']}".partition("\n")[0] for one in view["asked"]]
    return lines + [f"question {one['approval']}, {said}" for one, said in zip(view["asked"], asked, strict=True)]


def over_limit(view: dict[str, Any]) -> str:
    """Where it used more than its own limit, and was not ended for that: nothing was left to be ended."""
    over = view["over_cap"]
    if over is None or view["outcome"] == "budget_reached":
        return ""
    return over_words(msgspec.convert(over, Over)) + (", its own limit" if view["outcome"] else "")


def _stopped(at: dict[str, Any]) -> str:
    limit = dollars(at["limit"]) if at["unit"] == "microusd" else plural(at["limit"], "token")
    return f"stopped at budget {at['budget']}, {limit} in its window since {_minute(at['window_start_at'])}"


def held_words(view: dict[str, Any]) -> str:
    """By what, and what of the workspace that left open: there its changes were only compared with its scope."""
    said = next((check["why"] for check in view["verdict"]["checks"] if check["name"] == "scope"), "")
    parts = said.split("; ")[1:]
    reads = [part for part in parts if part.startswith(READS)]
    loose = "; ".join(part for part in parts if part not in reads)
    held = _UNHELD.get(view["sandbox"]) or f"held to its scope by {view['sandbox']}"
    if view["sandbox"] not in _UNHELD and loose:
        held = f"{held}, but for {loose}"
    return "; ".join((held, *reads))


_UNHELD = {
    "off": "not held to its scope: its sandbox is off",
    "advisory": "not held to its scope: this kernel has no means to",
}


def changed_words(view: dict[str, Any]) -> str:
    """What it changed in its workspace."""
    return changes_words(msgspec.convert(view["changes"], Changes))


def _is_violation(why: str | None) -> bool:
    return (why or "").startswith(_VIOLATION)


_VIOLATION = "violation: "


def violation_words(view: dict[str, Any]) -> str:
    """What it did against its scope, said once, and all who may have done it where that names a few."""
    changes = view["changes"] if view["changes"] and view["changes"]["violations_total"] else None
    lines = [view["why"]] if _is_violation(view["why"]) else []
    if changes and changed_words(view) not in (view["why"] or ""):
        lines.append(_VIOLATION + changed_words(view))
    if changes and len(changes["beside"]) > NAMED:
        lines.append(f"live beside it, any of which may have made these changes: {', '.join(changes['beside'])}")
    return "\n".join(hung("", line) for line in lines)


def last_words(view: dict[str, Any]) -> str:
    """The end of its standard error, where the run failed or put nothing else out."""
    lines = (view.get("stderr") or "").rstrip().splitlines()
    if not lines or (view["outcome"] == "succeeded" and (view.get("stdout") or "").strip()):
        return ""
    left = f"; the last {_LAST_LINES} of {len(lines):,} lines" if len(lines) > _LAST_LINES else ""
    return "\n".join((f"on its standard error{left}:", *(hung("  ", line) for line in lines[-_LAST_LINES:])))


def _minute(at: str | None) -> str:
    return at[:16].replace("T", " ") + " UTC" if at else "it is withdrawn"


def _expected(view: dict[str, Any]) -> str:
    lines = [_likely(view["estimate"])] if view["estimate"] else []
    if is_untold(view):
        lines.append("what it used is unknown: it has told of nothing")
    elif view["usage"]:
        lines.append(_used(view))
    if view.get("usage_unread_bytes"):
        unread = plural(view["usage_unread_bytes"], "byte")
        are = "is" if view["usage_unread_bytes"] == 1 else "are"
        lines.append(f"{unread} at the end of its usage file {are} not read: it is too large")
    return "\n".join(hung("", line) for line in lines)


def is_untold(view: dict[str, Any]) -> bool:
    """Whether it was expected to use nothing, and has told of nothing: there is no figure to show."""
    cost, used = view["estimate"], view["usage"]
    if not cost or cost["basis"] != "none":
        return False
    if used is None:
        return bool(view["started_at"] and view["outcome"])
    return used["basis"] == "estimated" and not used["tokens"]


def _likely(cost: dict[str, Any]) -> str:
    if cost["basis"] == "none":
        return "expected no tokens: no model is named for its program"
    spread = f" ({cost['low_tokens']:,} to {cost['high_tokens']:,})"
    said = [f"expected {plural(cost['likely_tokens'], 'token')}{spread}"]
    if cost["likely_microusd"]:
        said[0] += f", {dollars(cost['likely_microusd'])}"
    past = f"from {plural(cost['runs'], 'run')} like it" if cost["basis"] == "history" else "as declared"
    said.append(past)
    if cost["calibration"] is not None:
        said.append(f"its provider counts {cost['calibration']:.2f} for each token of ours")
    if cost["error_median"] is not None:
        said.append(f"half of such estimates were {percent(cost['error_median'])} off or less")
    if cost["error_p90"] is not None:
        said.append(f"nine of ten {percent(cost['error_p90'])}")
    return "; ".join(said)


def _used(view: dict[str, Any]) -> str:
    used, cost = view["usage"], view["estimate"]
    parts = [f"used {used['input_tokens']:,} in"]
    parts += [f"{used['cache_read_tokens']:,} from the cache"] if used["cache_read_tokens"] else []
    parts += [f"{used['cache_write_tokens']:,} written to the cache"] if used["cache_write_tokens"] else []
    parts += [f"{used['output_tokens']:,} out"]
    parts += price_words(view)
    against = f"; {_against(cost['used_tokens'], cost['likely_tokens'])}" if cost and cost["error"] is not None else ""
    return f"{', '.join(parts)} ({used['basis']}, {used['confidence']}){against}"


def price_words(view: dict[str, Any]) -> list[str]:
    """Nothing of what is free."""
    used = view["usage"]
    if used["cost_microusd"] is None:
        return ["no price yet" if view["price_pending"] else "no price"]
    if not used["cost_microusd"] and not used["responses_unpriced"]:
        return []
    return [dollars(used["cost_microusd"]) + ("+" if used["responses_unpriced"] else "")]


_SHARES = (
    (1 / 10, "a tenth"),
    (1 / 8, "an eighth"),
    (1 / 5, "a fifth"),
    (1 / 4, "a quarter"),
    (1 / 3, "a third"),
    (1 / 2, "half"),
    (2 / 3, "two thirds"),
    (3 / 4, "three quarters"),
    (9 / 10, "nine tenths"),
)
_TIMES = ("twice", "three times", "four times", "five times", "six times", "seven times", "eight times", "nine times")


def _against(used: int, expected: int) -> str:
    """`54 of 437 expected (an eighth)`, `1,311 in all, three times what was expected`."""
    if not expected:
        return f"{used:,} in all, where none were expected"
    ratio = used / expected
    if abs(ratio - 1) <= 0.05:
        return f"{used:,} of {expected:,} expected"
    if ratio < 1:
        return f"{used:,} of {expected:,} expected ({_share(ratio)})"
    return f"{used:,} in all, {_multiple(ratio)}"


def _share(ratio: float) -> str:
    if ratio < 0.09:
        return percent(ratio)
    return min(_SHARES, key=lambda share: abs(share[0] - ratio))[1]


def _multiple(ratio: float) -> str:
    whole = round(ratio)
    if ratio < 1.75:
        return f"{percent(ratio - 1)} more than was expected"
    if whole <= len(_TIMES) + 1 and abs(ratio - whole) <= 0.15:
        return f"{_TIMES[whole - 2]} what was expected"
    return f"{ratio:.1f} times what was expected" if ratio < 10 else f"{whole:,} times what was expected"


def _receipt(view: dict[str, Any]) -> str:
    receipt = view["receipt"]
    if receipt is None:
        return ""
    blocks = [_parts(receipt)]
    broken = receipt["cache_break"]
    if broken:
        lost = f"{plural(broken['kept_tokens'], 'token')} can still be cached, {broken['lost_tokens']:,} read anew"
        blocks.append(hung("", f"the cache breaks at {broken['part']}, which was {broken['why']}: {lost}"))
    levels: dict[str, list[str]] = {}
    for key, level in receipt["decided"].items():
        levels.setdefault(level, []).append(declared_key(key))
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


def kin_words(view: dict[str, Any]) -> str:
    """Whose child it is, what it has spawned, and which run goes on with which."""
    lines = []
    if view["parent"] is not None:
        lines.append(f"asked for by run {view['parent']}, at depth {view['depth']}")
    if view["children"]:
        lines.append(f"has asked for {plural(view['children'], 'run')}")
    if view["resumes"] is not None:
        lines.append(f"goes on with run {view['resumes']}")
    if view["falls_back_from"] is not None:
        lines.append(f"does again what run {view['falls_back_from']} could not: its model could not be reached")
    if view["fell_back_to"] is not None:
        lines.append(f"run {view['fell_back_to']} does it again with another model")
    if view["successor"] is not None:
        lines.append(hung("", successor_words(view["successor"])))
    return "\n".join(lines)


def successor_words(successor: dict[str, Any]) -> str:
    """`run 43 goes on with it: waits for your word: qd approve 9`."""
    number, waiting = successor["run"], successor["waiting"]
    if waiting:
        said = _waits(waiting["for"], waiting["approval"], successor["why"] or "")
        return f"run {number} goes on with it: {said}"
    if successor["outcome"] == "refused":
        return f"run {number} was to go on with it, and is refused: {successor['why']}"
    return f"run {number} goes on with it: {successor['outcome'] or successor['state']} (qd run show {number})"


def answer_words(view: dict[str, Any]) -> str:
    """What it answered, as it is for a program that reads it; for a terminal without what that would obey."""
    text = (view.get("text") or "").rstrip()
    if not text or not page().short:
        return text
    from tui.clean import clean

    return "\n".join(clean(line, len(line) + 1) for line in text.expandtabs(4).split("\n"))
