"""Does the recap say what the files say, the same each time, within its limit and without their escapes?"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.adapters.recap import (
    KEPT_LINES,
    SALIENT,
    File,
    changes,
    clean,
    open_items,
    recap,
    remember,
    salient,
    within,
)
from engine.tokens.count import count_tokens

NOTES = """# Plan
The harbour master keeps the harbour log. The weather was fine.
- [ ] ask for the tide table
- [x] TODO buy rope
  3. [ ] second box
BLOCKED: the pilot is ill
The shop is OPEN.
# OPEN questions
x = 1  # FIXME wrong unit
O_OPEN and TODOS and open and blocked are words
"""


def tokens(text: str) -> int:
    return count_tokens(text).tokens


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("- [ ] write it", "[ ] write it"),
        ("  12) [ ] write it", "[ ] write it"),
        ("- [ ]", None),
        ("- [x] TODO done", None),
        ("// TODO(me) fix", "// TODO(me) fix"),
        ("a FIXME in the middle", "a FIXME in the middle"),
        ("## OPEN questions", "## OPEN questions"),
        ("status BLOCKED: no key", "status BLOCKED: no key"),
        ("the shop is OPEN today", None),
        ("O_OPEN | TODOS | todo", None),
        ("TODO \x1b[31mred\x1b]0;title\x07 \u202eback \ud800", "TODO [31mred ]0;title back"),
        ("TODO " + "x" * 1_000_000, "TODO " + "x" * 152 + "..."),
    ],
)
def test_open_items(line: str, item: str | None) -> None:
    found = list(open_items([File("a.md", f"first\n{line}")]))
    assert found == ([] if item is None else [f"- a.md:2 {item}"])


def test_all_sections() -> None:
    assert recap("Look around\n", [File("notes.md", NOTES)], 2, None) == [
        "5 open items in 1 file with 10 lines; 2 other parts",
        "Task: Look around",
        "",
        "## Open items",
        "- notes.md:3 [ ] ask for the tide table",
        "- notes.md:5 [ ] second box",
        "- notes.md:6 BLOCKED: the pilot is ill",
        "- notes.md:8 # OPEN questions",
        "- notes.md:9 x = 1 # FIXME wrong unit",
        "",
        "## Salient",
        "- The harbour master keeps the harbour log.",
        "- The shop is OPEN.",
        "- O_OPEN and TODOS and open and blocked are words",
    ]


@pytest.mark.parametrize("files", [[], [File("a", "")], [File("a", " \n\n"), File("b", "")]])
def test_nothing_to_report_is_said(files: list[File]) -> None:
    assert "Nothing to report" in recap("x", files, 0, None)[-1]


def test_no_open_items_is_said() -> None:
    lines = recap("", [File("a", "All quiet on deck.")], 0, None)
    assert lines[1] == "Task: (none)"
    assert lines[lines.index("## Open items") + 1] == "None."


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"a": "x"}, {"a": "x"}, ["Nothing: all 1 files are as they were."]),
        ({}, {"a": "x"}, ["- a: new"]),
        ({"a": "x", "b": "y"}, {"a": "x"}, ["- b: gone", "- unchanged: a"]),
        ({"a": "1\n2\n3"}, {"a": "1\n3\n4"}, ["- a: changed, 1 line added, 1 removed", "  + 4", "  - 2"]),
        ({"a": "1\n1"}, {"a": "1\n1\n1"}, ["- a: changed, 1 line added, 0 removed", "  + 1"]),
        ({"a": "1\n2"}, {"a": "2\n1"}, ["- a: changed, in order, blanks or length only"]),
        ({"a": ""}, {"a": "\x1b[2J\ud800"}, ["- a: changed, 1 line added, 0 removed", "  + [2J?"]),
        ({"a": "x\n" * KEPT_LINES}, {"a": "y"}, ["- a: changed, too long to compare"]),
    ],
)
def test_changes(old: dict[str, str], new: dict[str, str], said: list[str]) -> None:
    before = remember([File(path, text) for path, text in old.items()])
    assert list(changes([File(path, text) for path, text in new.items()], before)) == said


def test_a_few_changed_lines_are_shown() -> None:
    said = list(changes([File("a", "\n".join(map(str, range(100))))], remember([File("a", "")])))
    assert said[0] == "- a: changed, 100 lines added, 0 removed"
    assert said[-1] == "  + and 95 more"
    assert len(said) == 7


def test_salient_takes_what_the_files_are_about() -> None:
    text = "The anchor chain holds the anchor. A gull cried.\n# Two\nThe anchor chain holds the anchor.\nAnchor rust.\n"
    said = salient([File("a", text + "```\nanchor anchor anchor chain\n```\n")])
    assert said[0] == "- The anchor chain holds the anchor."
    assert len([one for one in said if "holds" in one]) == 1
    assert not any("anchor anchor" in one for one in said)


def test_salient_is_spread_over_headings() -> None:
    crowd = "".join(f"Anchor chain anchor number{letter} holds.\n" for letter in "abcdefgh")
    said = salient([File("a", f"# One\n{crowd}# Two\nGulls cried above.\n")])
    assert said[-1] == "- Gulls cried above."
    assert len(said) == 3 <= SALIENT


def test_lines_are_left_out_from_the_end_and_counted() -> None:
    lines = recap("Task", [File("notes.md", NOTES)], 0, None)
    text = within(lines, 60, tokens)
    assert "\nTask: Task\n" in text
    assert "- notes.md:3" in text
    kept = text.split("\n")
    assert kept[-1] == f"({len(lines) - len(kept) + 1} lines left out)"
    assert kept[:-1] == lines[: len(kept) - 1]
    assert within(lines, 100_000, tokens) == "\n".join(lines) == within(lines, None, tokens)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.text(max_size=8), st.text(st.characters(), max_size=400) | st.just(NOTES), max_size=4),
    st.dictionaries(st.text(max_size=8), st.text(st.characters(), max_size=200), max_size=3) | st.none(),
    st.text(st.characters(), max_size=50),
    st.integers(0, 200),
)
def test_the_limit_holds_and_the_text_is_clean(
    files: dict[str, str], old: dict[str, str] | None, task: str, limit: int
) -> None:
    given_files = [File(path, text) for path, text in files.items()]
    before = None if old is None else remember([File(path, text) for path, text in old.items()])
    lines = recap(task, given_files, 0, before)
    assert lines == recap(task, given_files, 0, before)
    text = within(lines, limit, tokens)
    assert tokens(text) <= limit
    assert all(line.isprintable() for line in text.split("\n"))
    text.encode()


def test_clean() -> None:
    assert clean("a\tb\r\n\x1b[0m\x9b1m\u2028c") == "a b [0m 1m c"
    assert len(clean("x" * 500)) == 160
