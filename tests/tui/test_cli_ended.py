"""What is said when `qd run` is over, and what does the list of runs show of those that went too far?"""

import json

import msgspec
import pytest

from engine.config.model import Config
from engine.context.routing import route
from engine.contract.orders import RunRequest
from engine.contract.outcome import EndRecord
from engine.contract.verdict import Check, Verdict
from engine.runtime.questions import Permission
from engine.scopes.violations import Changes
from state import approvals, logs, prices, runs, spend
from tests.tui.test_cli_runs import CHECKS, ESTIMATE, encoded, run_of
from tui.cli import generations, usage
from tui.cli.dispatch import capture
from tui.cli.ended_text import ended_words, outcome_line
from tui.cli.run_list import row_of
from tui.cli.run_text import run_words
from tui.cli.run_view import kept_in_folder, run_view
from tui.cli.verb import Page
from tui.reading.details import run_detail
from tui.reading.run_words import answers_words
from tui.reading.snapshot import Reading
from tui.screens.run_gate import gate_lines
from tui.text import plural

STRAYED = Changes(True, "", 1, 0, ("stray.md",), 1)


def view_of(world, number, **said):
    """A run as the command line knows it."""
    connection = world.open().connection
    run = runs.get(connection, number)
    return run_view(connection, run) | kept_in_folder(world.home, connection, run) | said


def end(**said):
    values = {"outcome": "succeeded", "exit_code": 0, "signal": None, "started_ms": 0, "ended_ms": 9, "duration_s": 3.1}
    return encoded(EndRecord(**(values | said)))


def test_a_run_that_succeeded_says_its_warnings_its_answer_and_one_line(world):
    _, generation = world.session("fix", agent="coder")
    number = run_of(world, generation, end_record=end(), sandbox="landlock(7)")
    world.book(generation, (100, 0, 0, 900), run_id=number, cost_microusd=60_000)
    said = ended_words(view_of(world, number, text="it is done\n"))
    assert said.split("\n\n") == [
        "! inject: above the target of 60 for heartbeat\n! budget: week reaches 90%",
        "it is done",
        f"run {number}  coder  succeeded in 3.1 s  1,000 tokens  $0.06; qd run show {number}",
    ]


def test_what_told_of_no_use_says_that_it_is_unknown(world):
    number = run_of(world, end_record=end(), started_ms=1)
    assert "  tokens unknown; qd run show" in ended_words(view_of(world, number, text="done"))


def test_a_refusal_says_what_failed_what_helps_and_how_many_passed(world):
    checks = (*CHECKS, Check("cost", False, "900 of 10 tokens", "give it more"))
    verdict = encoded(Verdict(False, checks, ESTIMATE))
    said = ended_words(view_of(world, run_of(world, state="refused", outcome="refused", verdict=verdict)))
    assert [line.strip() for line in said.splitlines()] == [
        "run 1  coder  refused",
        "budget      NO   day: 5 + 900 of 100 today",
        "approve it",
        "cost        NO   900 of 10 tokens",
        "give it more",
        "2 checks passed; nothing was started or spent; qd run show 1",
    ]


@pytest.mark.parametrize("tell", [ended_words, run_words])
def test_a_violation_stands_last(world, tell):
    number = run_of(world, changes=encoded(STRAYED))
    last = tell(view_of(world, number, text="all is well")).splitlines()[-1]
    assert last == "violation: 1 file changed, 1 outside its scope: stray.md"


def test_what_was_read_already_is_not_told_again(world):
    view = view_of(world, run_of(world), text="it is done")
    assert "it is done" in run_words(view)
    assert "it is done" not in run_words(view, answered=True)


@pytest.mark.parametrize(
    ("outcome", "stdout", "shown"), [("failed", "out", True), ("succeeded", "", True), ("succeeded", "out", False)]
)
def test_the_end_of_its_standard_error_is_told_where_it_explains(world, outcome, stdout, shown):
    number = run_of(world, outcome=outcome, end_record=end(dropped_bytes=9))
    folder = world.home.run_folder(number)
    folder.mkdir(parents=True)
    (folder / "stdout.log").write_text(stdout)
    (folder / "stderr.log").write_text("".join(f"line {one}\n" for one in range(20)))
    view = view_of(world, number)
    assert (view["stderr"].splitlines()[0], view["stderr_truncated"]) == ("line 0", False)
    for said in (ended_words(view), run_words(view)):
        assert ("  line 10\n" in said, "line 9\n" in said) == (shown, False)
    (folder / "stderr.log").write_text("a\n[... 7 bytes dropped ...]\nb\n")
    assert view_of(world, number)["stderr_truncated"] is True
    (folder / "stderr.log").write_text("x" * 100_000)
    view = view_of(world, number)
    assert (view["stderr_truncated"], len(view["stderr"]) < 70_000) == (True, True)


def test_what_is_written_to_the_cache_is_not_read_from_it(world):
    _, generation = world.session("fix", agent="coder")
    number = run_of(world, generation)
    world.book(generation, (10, 20, 13_948, 5), run_id=number)
    assert "used 10 in, 20 from the cache, 13,948 written to the cache, 5 out" in run_words(view_of(world, number))


def test_a_price_that_is_still_to_be_looked_up_is_not_called_missing(world):
    _, generation = world.session("fix", agent="coder")
    number = run_of(world, generation)
    with world.open().transaction() as tx:
        model = prices.model_id(tx, "m1", "nobody")
    world.book(generation, (10, 0, 0, 5), run_id=number, model_id=model)
    assert "no price yet" in run_words(view_of(world, number))
    with world.open().transaction() as tx:
        prices.note_asked(tx, model, "list", None, None)
    view = view_of(world, number)
    assert (view["price_pending"], "no price yet" in run_words(view)) == (False, False)


@pytest.mark.parametrize(
    ("sandbox", "why", "said"),
    [
        ("off", "", "not held to its scope: its sandbox is off"),
        ("advisory", "", "not held to its scope: this kernel has no means to"),
        ("landlock(7)", "1 path to write, enforced by landlock(7)", "held to its scope by landlock(7)\n"),
        (
            "landlock(7)",
            "1 path to write, enforced by landlock(7); notes/*: all of notes",
            "held to its scope by landlock(7), but for notes/*: all of notes\n",
        ),
        (
            "landlock(7)",
            "1 path to write, enforced by landlock(7); new.md: all of it; reads its workspace, nothing else",
            "held to its scope by landlock(7), but for new.md: all of it; reads its workspace, nothing else\n",
        ),
        ("off", "writes nothing; reads whatever you may", "its sandbox is off; reads whatever you may\n"),
    ],
)
def test_what_was_held_is_told_with_what_was_not(world, sandbox, why, said):
    verdict = encoded(Verdict(True, (Check("scope", True, why),), ESTIMATE))
    told = run_words(view_of(world, run_of(world, sandbox=sandbox, verdict=verdict, turns=0)))
    assert said in f"{told}\n"
    assert "of its model" not in told


def listed(world, *words):
    world.close()
    code, out, err = capture(["run", "list", *words], world.home)
    assert (code, err) == (0, "")
    return out


def routed(**said):
    return encoded(msgspec.structs.replace(route(RunRequest("/w", agent="digest"), Config()), **said))


def test_what_went_too_far_is_marked_in_the_list_whatever_it_said(world, monkeypatch):
    _, generation = world.session("fix", agent="coder")
    run_of(world, summary="all is well", changes=encoded(STRAYED))
    capped = run_of(world, generation, summary="all is well", route=routed(stop_tokens=500))
    world.book(generation, (100, 0, 0, 900), run_id=capped, cost_microusd=60_000)
    run_of(world, summary="fine", changes=encoded(Changes(True, "", 1, 1)))
    for width in (80, 200):
        monkeypatch.setattr("tui.cli.run_list.page", lambda width=width: Page(width, True))
        out = listed(world)
        assert "succeeded !" in out
        assert "succeeded ^" in out
        assert "! did what its scope does not let it; ^ used more than its own limit: qd run show tells" in out
        assert ("$0.06" in out, "stray.md" in out) == (width == 200, width == 200)
        assert max(map(len, out.split("\n\n")[0].splitlines())) <= width
    row = row_of(runs.get(world.open().connection, capped))
    assert row.why == "it has used 1,000 tokens; it may use 500"


OVER = [
    ({"stop_tokens": 500}, 0, "used 1,000 of 500 tokens"),
    ({"stop_microusd": 40_000}, 0, "cost $0.0600 of $0.0400"),
    ({"stop_turns": 2}, 3, "had 3 of 2 answers of its model"),
    ({"stop_tokens": 1_000, "stop_microusd": 60_000, "stop_turns": 3}, 3, ""),
    ({}, 9, ""),
]


@pytest.mark.parametrize(("caps", "turns", "words"), OVER, ids=str)
def test_a_run_that_succeeded_over_its_own_limit_says_so_everywhere(world, caps, turns, words):
    _, generation = world.session("fix", agent="coder")
    number = run_of(world, generation, route=routed(**caps), turns=turns)
    world.book(generation, (100, 0, 0, 900), run_id=number, cost_microusd=60_000)
    view = view_of(world, number)
    text = run_words(view)
    assert (view["over_cap"] is None) is not bool(words)
    assert words in text
    assert ("its own limit" in text) is bool(words)
    line = outcome_line(view | {"text": "done"})
    assert words in line
    assert ("its own limit" in line) is bool(words)
    page = "\n".join(facts(world, number))
    assert ("limit      " + words if words else "") in page
    assert ("more than its own limit" in page) is bool(words)


def facts(world, number):
    """What the page of this run says of it."""
    connection = world.open().connection
    reading = Reading(world.home, connection, world.now_ms, None, None, None)
    return ["".join(text for text, _ in line) for line in gate_lines(run_detail(number)(reading), 0, None)]


@pytest.mark.parametrize("turns", [None, 0, 1, 4])
@pytest.mark.parametrize("states", [(), ("approved",), ("denied", "approved", "denied", "expired", "withdrawn")])
def test_the_page_and_the_command_count_the_same_questions_and_answers(world, turns, states):
    number = run_of(world, sandbox="landlock(7)", turns=turns)
    with world.open().transaction() as tx:
        for place, state in enumerate(states):
            what = Permission(number, "coder", None, "", "/w", "Bash", f"rm {place}", None)
            asked = approvals.ask(tx, number, encoded(what), 1, 2, str(place))
            tx.execute("UPDATE approvals SET state = ? WHERE id = ?", (state, asked))
    text = run_words(view_of(world, number))
    page = "\n".join(facts(world, number))
    for said in (text, page):
        assert (answers_words(turns) or "answer of its model") in said or not turns
        assert ("of its model" in said) is bool(turns)
        assert (f"asked you {plural(len(states), 'time')}" in said) is bool(states)
    if len(states) > 1:
        assert "asked you 5 times: 2 denied, 1 approved, 1 expired, 1 withdrawn" in text
        assert "asked you 5 times: 2 denied, 1 approved, 1 expired, 1 withdrawn" in page
        assert text.count("question ") == len(states)


def test_a_list_is_of_the_outcomes_and_agents_that_are_asked_for(world):
    run_of(world, outcome="failed", agent="ops")
    run_of(world, outcome="failed")
    run_of(world, changes=encoded(STRAYED))
    run_of(world)

    def numbers(*words):
        return [one["run"] for one in json.loads(listed(world, "--json", *words))["runs"]]

    assert numbers("--outcome", "failed") == [2, 1]
    assert numbers("--outcome", "failed,violation") == [3, 2, 1]
    assert numbers("--agent", "coder", "--limit", "2") == [4, 3]
    assert numbers("--agent", "ops", "--outcome", "succeeded") == []
    assert listed(world, "--agent", "nobody").startswith("No such runs.")
    code, _, err = capture(["run", "list", "--outcome", "fialed"], world.home)
    assert (code, "is no outcome; known: succeeded, failed" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["run", "49"], "did you mean: qd run show 49?"),
        (["run", "lst"], "did you mean: qd run list?"),
        (["run", "make", "test"], "a program stands after --: qd run -- make test"),
        (["spawn", "make"], "a program stands after --: qd spawn -- make"),
        (["run", "49", "--", "true"], "did you mean: qd run show 49?"),
    ],
)
def test_a_word_that_is_no_program_starts_nothing(world, words, fix):
    world.close()
    code, out, err = capture(words, world.home)
    assert (code, out) == (2, "")
    assert err.endswith(fix)


def test_a_client_that_has_not_written_since_is_not_compared(world):
    session, generation = world.session("fix")
    world.book(generation, (2, 20, 200, 2000), "a", at_ms=world.now_ms)
    with world.open().transaction() as tx:
        logs.note_totals(tx, generation, logs.ClientTotals("cost-state", world.now_ms, 2, 20, 200, 2000, None))
    (view,) = generations.views(world.open().connection, session)
    assert "client says the same (cost-state)" in list(generations.remarks(view))
    world.book(generation, (5, 0, 0, 0), "b", at_ms=world.now_ms + 1)
    (view,) = generations.views(world.open().connection, session)
    assert (view["client"]["input_tokens"], view["client"]["difference"]) == (2, None)
    assert not [line for line in generations.remarks(view) if "client" in line]


def test_a_model_that_used_no_token_lacks_no_price(world):
    _, generation = world.session("fix")
    with world.open().transaction() as tx:
        used, idle = (prices.model_id(tx, name, "nobody") for name in ("used", "idle"))
    world.book(generation, (1, 0, 0, 0), "a", model_id=used)
    world.book(generation, (0, 0, 0, 0), "b", model_id=idle)
    connection = world.open().connection
    assert usage._coverage(connection, spend.totals(connection), spend.Span())["models_unpriced"] == {"used": 1}
