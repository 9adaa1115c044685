"""Is every key of the newer answers in the documents?"""

import re
from pathlib import Path

import msgspec

from engine.contract.outcome import Stop, StoppedAt
from engine.contract.verdict import CacheBreak, ReceiptPart
from engine.scopes.violations import Changes, Unattributed
from state import approvals, receipts
from tests.tui.test_cli_approvals import question
from tests.tui.test_cli_declared import CONFIG
from tests.tui.test_cli_runs import encoded, run_of
from tests.tui.test_cli_skills import place, put  # noqa: F401
from tests.tui.test_cli_usage import keys_of
from tui.cli.dispatch import capture

DOCS = Path(__file__).parents[2] / "docs"


def told(world, *words):
    code, out, err = capture([*words, "--json"], world.home)
    assert (code, err) == (0, "")
    return msgspec.json.decode(out)


def a_run_with_everything(world):
    stop = Stop("budget_reached", (StoppedAt("day", "tokens", 1, world.now_ms),))
    changes = Changes(True, "", 3, 1, ("stray.md",), 1, (Unattributed("b", "run 3"),), 1)
    number = run_of(world, stop_reason=encoded(stop), changes=encoded(changes), state="waiting", waits_for="approval")
    part, broken = ReceiptPart("task", "task", 1, 1, "a", True), CacheBreak("task", "changed", 1, 1)
    kept = receipts.Receipt(number, encoded((part,)), 1, 1, "{}", encoded(broken), 1)
    with world.open().transaction() as tx:
        receipts.store(tx, kept)
        approvals.ask(tx, number, encoded(question(world)), world.now_ms, world.now_ms + 1)
    return number


def test_every_key_is_documented(filled, place):  # noqa: F811
    filled.configure(CONFIG.replace("mend {file}", "mend {file} {unused}") + "[budget.b]\nwindow = 'run'\nusd = 1.0\n")
    number = a_run_with_everything(filled)
    put(place, "deploy")
    filled.close()
    verbs = [("run", "show", str(number)), ("run", "list"), ("approvals",), ("approvals", "show", "1"), ("skills",)]
    verbs += [("skills", "diff", "deploy", "--full"), ("templates",), ("task-types",), ("budget", "list")]
    answers = [told(filled, *words) for words in verbs]

    pages = "".join((DOCS / name).read_text() for name in ("json.md", "config.md"))
    named = {name for pair in re.findall(r"`(\w+)`|\"(\w+)\"", pages) for name in pair if name}
    assert {key for answer in answers for key in keys_of(answer)} - named == set()
