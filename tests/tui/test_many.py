"""What is asked, ordered and said when something is done with several things?"""

import pytest

from tui.console.many import MOST, NAME_CELLS, WORDS, Many, done_words, question


class Line:
    """Answers as it is told to, in the order of the orders."""

    def __init__(self, answers):
        self.answers, self.orders = list(answers), []

    def order(self, kind, body, done=None, failed=None):
        self.orders.append((kind, body))
        answer = self.answers.pop(0)
        (failed if isinstance(answer, str) else done)(answer)

    def put_entry(self, section, name, values, done=None, failed=None):
        self.order(section, (name, values), done, failed)

    def drop_entry(self, section, name, done=None, failed=None):
        self.order("drop", (section, name), done)


def acted(act, things, answers):
    line, told = Line(answers), []
    Many(line, act, things, lambda said, good: told.append((said, good))).go_on()
    assert len(told) == 1
    return line.orders, told[0]


REFUSED = {"verdict": {"ok": False, "checks": [{"ok": False, "why": "over budget"}, {"ok": True, "why": "fine"}]}}


def test_each_has_one_order_and_all_are_counted_once():
    orders, told = acted("stop", [("run 1", 1), ("run 2", 2), ("run 3", 3)], [{}, {}, {}])
    assert [(kind, body.run_id) for kind, body in orders] == [("stop", 1), ("stop", 2), ("stop", 3)]
    assert told == ("all 3 asked to end", True)


def test_a_failure_is_named_and_the_rest_is_done():
    orders, told = acted("stop", [("run 1", 1), ("run 2", 2), ("run 3", 3)], [{}, "it has ended", {}])
    assert len(orders) == 3
    assert told == ("2 of 3 asked to end; run 2: it has ended", False)


def test_what_the_gate_refused_was_not_fired_and_what_waits_was():
    answers = [REFUSED | {"run": 1}, REFUSED | {"run": 2, "waits_for": "slot"}, {"run": 3}]
    _, told = acted("fire", [("a", "a"), ("b", "b"), ("c", "c")], answers)
    assert told == ("2 of 3 fired; a: refused: over budget", False)


@pytest.mark.parametrize(
    ("act", "ref", "order"),
    [
        ("pause", "a", ("job", ("a", {"enabled": False}))),
        ("resume", "a", ("job", ("a", {"enabled": True}))),
        ("delete", ("budget", "day"), ("drop", ("budget", "day"))),
    ],
)
def test_declarations_are_written_one_by_one(act, ref, order):
    orders, told = acted(act, [("a", ref)], [{}])
    assert orders == [order]
    assert told == (f"all 1 {WORDS[act][2]}", True)


def test_a_reset_says_which_generation_was_seen():
    orders, _ = acted("reset", [("s", (4, 9))], [{}])
    assert [(body.session_id, body.seen_generation_id) for _, body in orders] == [(4, 9)]


def test_every_name_stands_in_the_question():
    things = [(f"run {number}", number) for number in range(MOST)]
    title, lines = question("stop", things, 0)
    assert title == f"Stop or withdraw {MOST} runs?"
    assert [name.strip() for name in lines[0].split(",")] == [name for name, _ in things]
    assert len(lines) == 2


def test_a_long_name_is_cut_and_what_is_left_out_is_said():
    _, lines = question("delete", [("x" * 90, 1)], 2)
    assert len(lines[0]) == NAME_CELLS
    assert lines[-1] == "Of 2 more that are marked this cannot be done."


def test_several_failures_are_counted():
    assert done_words("pause", 4, ["a: no", "b: no"]) == "2 of 4 paused; a: no and 1 more"
