"""Which path do two patterns share? Held against an enumeration of every short path, and against bombs."""

import itertools
from fnmatch import fnmatchcase
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.scopes.folding import Folding
from engine.scopes.patterns import alternatives, path, quoted, read_pattern, shared_path
from engine.scopes.segments import matches, segment, share, shared_name

NAMES = [
    name
    for length in (1, 2, 3)
    for name in map("".join, itertools.product("ab.", repeat=length))
    if name not in (".", "..")
]
SHORT = [names for depth in (0, 1, 2, 3) for names in itertools.product([n for n in NAMES if len(n) < 3], repeat=depth)]

letters = st.sampled_from(["a", "b", ".", "?", "*", "[ab]", "[!a]", "[a-b]", "[.]", "[!.b]", "[b-a]", "[]a]"])
names = st.lists(letters, min_size=1, max_size=4).map("".join).filter(lambda t: "**" not in t and t not in (".", ".."))
short = st.lists(letters, min_size=1, max_size=2).map("".join).filter(lambda t: "**" not in t and t not in (".", ".."))
rows = st.lists(st.one_of(short, st.just("**")), max_size=3).map(tuple)


def matching(pattern, found):
    if not pattern:
        return not found
    if pattern[0] == "**":
        return matching(pattern[1:], found) or (bool(found) and matching(pattern, found[1:]))
    return bool(found) and fnmatchcase(found[0], pattern[0]) and matching(pattern[1:], found[1:])


@cache
def enumerated(pattern):
    return frozenset(found for found in SHORT if matching(pattern, found))


def is_path(found):
    return all(name and name not in (".", "..") and "/" not in name for name in found)


@settings(max_examples=1500, deadline=None)
@given(one=names, other=names)
def test_two_segments_share_a_name_exactly_if_enumeration_finds_one(one, other):
    mine, theirs = segment(one), segment(other)
    name = shared_name(mine, theirs)
    assert (name is not None) is share(mine, theirs) is share(theirs, mine)
    if any(fnmatchcase(each, one) and fnmatchcase(each, other) for each in NAMES):
        assert name is not None
    if name is not None:
        assert is_path([name])
        assert fnmatchcase(name, one)
        assert fnmatchcase(name, other)


@settings(max_examples=1000, deadline=None)
@given(one=names, name=st.sampled_from(NAMES))
def test_a_segment_matches_what_a_shell_would_match(one, name):
    assert matches(segment(one), name) is fnmatchcase(name, one)


@settings(max_examples=1500, deadline=None)
@given(one=rows, other=rows)
def test_two_patterns_share_a_path_exactly_if_enumeration_finds_one(one, other):
    found, back = shared_path(path(one), path(other)), shared_path(path(other), path(one))
    assert (found is None) is (back is None)
    if enumerated(one) & enumerated(other):
        assert found is not None
    if found is not None:
        assert is_path(found)
        assert matching(one, found)
        assert matching(other, found)


@settings(max_examples=500, deadline=None)
@given(one=rows)
def test_a_pattern_shares_a_path_with_itself_if_it_matches_any(one):
    assert (shared_path(path(one), path(one)) is not None) is (
        not any("[b-a]" in part or is_dots(part) for part in one)
    )


def is_dots(part):
    return part != "**" and part.replace("[.]", ".") in (".", "..")


def folded(pattern):
    return tuple(part.lower() for part in pattern)


cased = st.lists(st.text("aAbB*?", min_size=1, max_size=2).filter(lambda t: "**" not in t), max_size=3).map(tuple)


@settings(max_examples=500, deadline=None)
@given(one=cased, other=cased)
def test_under_a_folding_rule_case_does_not_matter(one, other):
    rule = Folding(case=True)
    exact = shared_path(path(folded(one)), path(folded(other))) is not None
    loose = shared_path(path(one, rule), path(other, rule)) is not None
    assert loose or not exact
    if not any("?" in part for part in one + other):
        assert loose is exact  # what `?` stands for may fold to several characters


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("a", ["a"]),
        ("{a,b}", ["a", "b"]),
        ("x{a,b}y", ["xay", "xby"]),
        ("{a,b}{c,d}", ["ac", "ad", "bc", "bd"]),
        ("{a,{b,c}d}e", ["ae", "bde", "cde"]),
        ("{a}", ["{a}"]),
        ("{a{b,c}}", ["{ab}", "{ac}"]),
        ("{,a}x", ["x", "ax"]),
        ("{a,a}", ["a", "a"]),
        ("{}", ["{}"]),
        ("{{a,b},c}", ["a", "b", "c"]),
        ("{a/b,c}/d", ["a/b/d", "c/d"]),
    ],
)
def test_braces_are_what_a_shell_makes_of_them(text, ways):
    assert alternatives(text) == ways


def test_256_alternatives_are_not_too_many():
    assert len(read_pattern("{a,b}" * 8)) == 256


@pytest.mark.parametrize("name", ["*", "a*b", "[id]", "[[x]]", "?", "[!a]", "{a,b}", "]", "^"])
def test_a_quoted_name_matches_just_itself(name):
    assert segment(quoted(name)).literal == name
    assert shared_name(segment(quoted(name)), segment("*")) == name


BOMBS = [
    ("*a" * 120 + "*", "*b" * 120 + "*", True),
    ("*a" * 120, "*b" * 120, False),
    ("*a" * 80 + "*b", "a" * 250, False),
    ("?" * 250 + "*", "*" + "[ab]" * 60, True),
    ("*?" * 120 + "x", "*[ab]" * 50 + "y", False),
    ("[!a]*" * 50, "*[!b]" * 50, True),
    ("/".join(["**", "*a*b*c*d?"] * 60), "/".join(["**", "*b*c*d*e*?f"] * 60), True),
    ("/".join(["**", "a"] * 60) + "/b", "/".join(["**", "a"] * 60) + "/c", False),
    ("/".join(["**/*"] * 60) + "/b", "/".join(["*"] * 120) + "/a", False),
    ("**/" * 600 + "a", "**/" * 600 + "b", False),
    ("/".join(f"*{n}*a" for n in range(128)), "**/" + "/".join(f"*{n}*b" for n in range(127)), False),
]


@pytest.mark.parametrize(("one", "other", "expected"), BOMBS)
def test_a_bomb_is_decided(one, other, expected):
    (mine,), (theirs,) = read_pattern(one), read_pattern(other)
    found = shared_path(path(mine.tail), path(theirs.tail or theirs.fixed))
    assert (found is not None) is expected
