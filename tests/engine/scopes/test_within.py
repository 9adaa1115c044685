"""Does a path lie within these patterns, told by its names alone: never more than the gate says, and no less?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.scopes.patterns import read_pattern
from engine.scopes.scope import coverage, resolve_scope
from engine.scopes.within import covered, matches, starts, ways

NAMES = st.lists(st.sampled_from(["a", "b", "ab", "a.py", ".a"]), min_size=1, max_size=4)
PLAIN = ["a", "b", "ab", "*", "a*", "*.py", "?", "**", "[ab]", "[!a]"]
SEGMENTS = st.lists(st.sampled_from(PLAIN), min_size=1, max_size=5)
ODD = st.lists(st.sampled_from([*PLAIN, "{a,b}", "{a,b*}b", "{a}", "..", ".", "a]"]), min_size=1, max_size=4)


def slowly(way, names):
    """The same by its definition."""
    if not way:
        return not names
    if way[0] == "**":
        return any(slowly(way[1:], names[taken:]) for taken in range(len(names) + 1))
    return bool(names) and matches(way[0], names[:1]) and slowly(way[1:], names[1:])


@given(way=SEGMENTS, names=NAMES)
def test_a_glob_matches_as_it_is_defined(way, names):
    assert matches("/".join(way), names) == slowly(way, names)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    for path in ("a/a/b", "a/b", "b/ab/a", "ab", ".a"):
        (root / path).mkdir(parents=True)
    return root


def folders(tree, names):
    return next((end for end in range(len(names)) if not tree.joinpath(*names[: end + 1]).is_dir()), len(names))


@given(pattern=ODD.map("/".join), names=NAMES, whole=st.booleans())
def test_it_covers_what_the_gate_covers_and_nothing_else(tree, pattern, names, whole):
    """Where no folder is missing; below one that is, a glob covers what it matches and no more."""
    text = f"{tree}/{pattern}" if whole else pattern
    here = covered(ways((text,), str(tree)), names, folders(tree, names[:-1]))
    there = coverage(resolve_scope(tree, (text,)))(str(tree.joinpath(*names)))
    assert there or not here
    if ".." not in pattern and tree.joinpath(*names[:-1]).is_dir():
        read_pattern(text)
        assert here == there


@pytest.mark.parametrize(
    ("pattern", "names", "there", "expected"),
    [
        ("src", "src", 0, True),
        ("src/", "src/deep/x.py", 0, True),
        ("src", "srcs", 0, False),
        (".", "x", 0, True),
        ("src/*", "src/x", 1, True),
        ("src/*", "src/deep/x", 2, True),
        ("src/*", "src/new/x", 1, False),
        ("**/*.md", "x.py", 0, False),
        ("/work/src", "src/x", 0, True),
        ("/alias/src", "src/x", 0, True),
        ("/work", "x", 0, True),
        ("/workshop/src", "src/x", 0, False),
        ("/w*/src", "src/x", 1, False),
        ("/etc", "etc", 0, False),
        ("src/../notes", "notes/x", 1, False),
        ("../work/notes", "notes/x", 1, False),
        ("~/x", "~/x", 1, False),
        ("!x", "!x", 0, False),
        ("a**/x", "ab/x", 1, False),
        ("{a", "{a", 0, False),
        ("a\\b", "a\\b", 0, False),
        ("[[:alpha:]]", "a", 0, False),
        ("{a,b**}", "a", 0, False),
        ("{" + ",".join(map(str, range(300))) + "}", "7", 0, False),
        ("", "x", 0, False),
        ("README", "README", 0, True),
        ("README", "readme", 0, False),
    ],
)
def test_what_is_in_doubt_is_not_covered(pattern, names, there, expected):
    assert covered(ways((pattern,), "/work", "/alias"), names.split("/"), there) is expected


def test_no_pattern_covers_nothing():
    assert not covered(ways((), "/work"), ("x",), 0)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("src/*.py", "src/deep/x", "notes/n.md"), [("notes", "n.md"), ("src",)]),
        (("{a,b}/c*",), [("a",), ("b",)]),
        (("**", "src"), [()]),
        (("/etc", "../x"), []),
    ],
)
def test_one_looks_below_the_names_before_the_wildcards(patterns, expected):
    assert starts(ways(patterns, "/work")) == expected


def test_a_pattern_of_many_stars_is_walked_once():
    names = ["a" * 200] * 100
    assert not covered(ways(("/".join(["**", "a*"] * 60) + "/b",), "/work"), names, 100)


@pytest.mark.parametrize("glob", ["", "{a", "a**", "../*/..", "a\\b"])
def test_a_glob_that_is_none_is_refused(glob):
    with pytest.raises(ValueError):
        matches(glob, ["a"])
