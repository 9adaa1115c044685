"""Do two write scopes share a path? Never "no" when one path lies in both."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.admission.conflict import overlap


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("/w/notes", "/w/notes", True),
        ("/w/notes", "/w/notes/", True),
        ("/w/notes", "/w/notes/a/b.md", True),
        ("/w", "/w/notes", True),
        ("/", "/w/notes", True),
        ("/w/notes", "/w/notes2", False),
        ("/w/notes", "/w/note", False),
        ("/w/notes/a", "/w/notes/b", False),
        ("/w/notes", "/w/Notes", False),
        ("/w/a.md", "/w/A.MD", False),
        ("/w/*.md", "/w/a.md", True),
        ("/w/*.md", "/w/.md", True),
        ("/w/*", "/w/.hidden", True),
        ("/w/*.md", "/w/a.py", False),
        ("/w/*.md", "/w/A.MD", False),
        ("/w/*.md", "/w/a/b.md", False),
        ("/w/*", "/w/a/b.md", True),
        ("/w/a?", "/w/ab", True),
        ("/w/a?", "/w/abc", False),
        ("/w/[ab].md", "/w/a.md", True),
        ("/w/[ab].md", "/w/c.md", False),
        ("/w/[!ab].md", "/w/c.md", True),
        ("/w/[!ab].md", "/w/a.md", False),
        ("/w/*/x", "/w/a/x", True),
        ("/w/*/x", "/w/a/y", False),
        ("/w/*/x", "/w/a", True),
        ("/w/src/**/*.py", "/w/src/a/x.py", True),
        ("/w/src/**/*.py", "/w/src/a/*", True),
        ("/w/src/**", "/w/srcs/a", False),
        ("/w/**", "/v/a", False),
        ("/w/**/a", "/w/b/c/d", True),
        ("/w/*.md", "/w/a*", True),
    ],
)
def test_pairs(one, other, expected):
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


def test_the_longest_paths():
    deep = "/a" * 50_000
    assert overlap(deep, deep + "/b")
    assert not overlap(deep + "/c", deep + "/b")
    assert overlap("/w/" + "*" * 5000, "/w/" + "*a" * 2000)


segments = st.text("abA", min_size=1, max_size=2)
wild = st.one_of(
    segments,
    st.text("ab*?", min_size=1, max_size=3).filter(lambda text: "**" not in text),
    st.sampled_from(["[ab]", "[!a]*"]),
)
paths = st.lists(segments, min_size=1, max_size=4)
patterns = st.lists(st.one_of(wild, st.just("**")), min_size=1, max_size=4)


def written(parts):
    return "/" + "/".join(parts)


def covers(pattern, path):
    """Enumeration: a pattern covers what it matches and all that lies below it."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return covers(pattern[1:], path) or (bool(path) and covers(pattern, path[1:]))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and covers(pattern[1:], path[1:])


@given(one=patterns, other=patterns)
def test_symmetric_and_reflexive(one, other):
    assert overlap(written(one), written(other)) == overlap(written(other), written(one))
    assert overlap(written(one), written(one))


@settings(max_examples=1000)
@given(one=patterns, other=patterns, path=paths)
def test_never_no_when_a_path_lies_in_both(one, other, path):
    if covers(one, path) and covers(other, path):
        assert overlap(written(one), written(other))


@settings(max_examples=1000)
@given(path=paths, data=st.data())
def test_never_no_for_two_ways_to_write_one_path(path, data):
    """Both patterns are made from the path, so that they always share it."""

    def pattern():
        used = path[: data.draw(st.integers(1, len(path)))]
        ways = ([part, "*", part[0] + "*", "?" * len(part), "**"] for part in used)
        return [data.draw(st.sampled_from(way)) for way in ways]

    assert overlap(written(pattern()), written(pattern()))


@settings(max_examples=500)
@given(one=paths, other=paths)
def test_literal_paths_are_exact(one, other):
    shorter = min(len(one), len(other))
    assert overlap(written(one), written(other)) == (one[:shorter] == other[:shorter])
