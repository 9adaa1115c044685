"""Whose is a change? Its own inside its scope, someone else's where that may be, else a violation; never lost."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.scopes import violations
from engine.scopes.violations import (
    Changes,
    ForeignSession,
    OtherClaim,
    Unattributed,
    judge_changes,
    not_checked,
    words,
)


def below(*folders):
    return lambda path: path.startswith(tuple(f"{folder}/" for folder in folders))


def nothing(_path):
    return False


REVIEWER = OtherClaim(7, "reviewer", below("src", "docs"))
WRITER = OtherClaim(8, "writer", below("docs"))
CODEX = ForeignSession(3, "codex", "fix the build")
CLAUDE = ForeignSession(4, "claude_code", "")


@pytest.mark.parametrize(
    ("path", "others", "foreign", "who"),
    [
        ("own/a", [], [], None),
        ("own/a", [OtherClaim(7, "reviewer", below("own"))], [CODEX], None),
        ("src/a", [], [], ""),
        ("src/a", [WRITER], [], ""),
        ("src/a", [REVIEWER], [], "run 7, reviewer"),
        ("src/a", [REVIEWER], [CODEX], "run 7, reviewer"),
        ("src/a", [REVIEWER, REVIEWER], [], "run 7, reviewer"),
        ("docs/a", [REVIEWER, WRITER], [], "run 7, reviewer or run 8, writer"),
        ("src/a", [WRITER], [CODEX], "codex session 3 'fix the build'"),
        ("src/a", [], [CODEX, CLAUDE], "codex session 3 'fix the build' or claude_code session 4"),
    ],
)
def test_whose_a_change_is(path, others, foreign, who):
    """`None` is its own, empty is nobody else's."""
    changes = judge_changes([path], below("own"), others, foreign)
    assert changes.checked
    assert changes.changed == 1
    assert changes.inside == (who is None)
    assert changes.violations == ((path,) if who == "" else ())
    assert changes.violations_total == (who == "")
    assert changes.unattributed == ((Unattributed(path, who),) if who else ())
    assert changes.unattributed_total == bool(who)


def test_no_more_than_some_suspects_are_named():
    crowd = [OtherClaim(number, "a", below("src")) for number in range(10)]
    (change,) = judge_changes(["src/a"], nothing, crowd, []).unattributed
    assert change.who == "run 0, a or run 1, a or run 2, a or 7 more"


def test_paths_are_capped_and_counted_in_full():
    paths = [f"src/{number:03}" for number in range(150)] + [f"etc/{number:03}" for number in range(120)]
    changes = judge_changes(paths, nothing, [REVIEWER], [])
    assert (changes.unattributed_total, len(changes.unattributed)) == (150, 100)
    assert (changes.violations_total, len(changes.violations)) == (120, 100)
    assert changes.violations[0] == "etc/000"


def test_nothing_judged_is_not_nothing_changed():
    changes = not_checked("the workspace has more than 50,000 entries")
    assert not changes.checked
    assert words(changes) == "changes not checked: the workspace has more than 50,000 entries"
    assert words(judge_changes([], nothing, [], [])) == "no file changed"


@pytest.mark.parametrize(
    ("paths", "others", "why", "line"),
    [
        (["own/a"], [], "", "1 file changed, all inside its scope"),
        (["own/a", "own/b"], [], "", "2 files changed, all inside its scope"),
        (
            ["own/a", "src/a.py", "docs/b.md"],
            [],
            "",
            "3 files changed, 2 outside its scope: src/a.py, docs/b.md",
        ),
        (
            ["a", "b", "c", "d", "e"],
            [],
            "",
            "5 files changed, 5 outside its scope: a, b, c, 2 more",
        ),
        (
            ["own/a", "src/a"],
            [REVIEWER],
            "",
            "2 files changed, none outside its scope; 1 unattributed: src/a (run 7, reviewer)",
        ),
        (
            ["src/a", "lib/b"],
            [REVIEWER],
            "",
            "2 files changed, 1 outside its scope: lib/b; 1 unattributed: src/a (run 7, reviewer)",
        ),
        (
            [],
            [],
            "not looked into: data (another file system)",
            "no file changed; not looked into: data (another file system)",
        ),
    ],
)
def test_words(paths, others, why, line):
    assert words(judge_changes(paths, below("own"), others, [], why)) == line


def test_large_figures_are_grouped():
    paths = [f"x{number}" for number in range(1234)]
    assert words(judge_changes(paths, nothing, [], [])).startswith("1,234 files changed, 1,234 outside its scope: x0, ")


def test_the_end_of_a_long_path_is_shown():
    line = words(judge_changes(["deep/" * 800 + "a.py"], nothing, [], []))
    assert len(line) < 160
    assert line.endswith("deep/a.py")
    assert len(words(not_checked("why " * 1000))) < 300


hostile = st.text(st.characters(codec="utf-8"), max_size=12) | st.binary(min_size=1, max_size=12).map(
    lambda name: name.decode("utf-8", "surrogateescape")
)


@given(
    st.lists(hostile, max_size=20),
    st.sets(st.integers(0, 19)),
    st.sets(st.integers(0, 19)),
    st.lists(hostile, max_size=2),
)
def test_every_change_is_counted_once_and_can_be_stored_and_shown(paths, mine, theirs, titles):
    own, covers = ({paths[place] for place in places if place < len(paths)} for places in (mine, theirs))
    foreign = [ForeignSession(number, "codex", title) for number, title in enumerate(titles)]
    changes = judge_changes(paths, own.__contains__, [OtherClaim(1, "a", covers.__contains__)], foreign)
    assert changes.changed == len(paths)
    assert changes.inside == sum(path in own for path in paths)
    assert changes.inside + changes.violations_total + changes.unattributed_total == len(paths)
    if foreign:
        assert changes.violations_total == 0
    assert msgspec.json.decode(msgspec.json.encode(changes), type=Changes) == changes
    assert words(changes).isprintable()
    assert len(words(changes)) < 2 * violations.NAMED * (violations.NAMED + 1) * (violations.SHOWN_CAP + 30)
