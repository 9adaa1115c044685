"""Is a skill held when it is not what was allowed any more, and is everything that changed in it seen?"""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.context.held import changes, held, visible
from state.skills import Pin, Skill


def skill(name="tide", path="/a/SKILL.md", sha256="1"):
    return Skill(path, name, "x", "user", 1, 1, sha256, None)


def pin(name="tide", path="/a/SKILL.md", sha256="1"):
    return Pin(name, path, sha256, "", 0)


@pytest.mark.parametrize(
    ("pins", "why"),
    [
        ([], None),
        ([pin()], None),
        ([pin(name="wind", sha256="2")], None),
        ([pin(sha256="2")], "/a/SKILL.md has changed since it was allowed"),
        ([pin(path="/b/SKILL.md")], "/a/SKILL.md has taken the name of /b/SKILL.md, which was allowed"),
        (
            [pin(path="/c/SKILL.md"), pin(path="/b/SKILL.md", sha256="2")],
            "/a/SKILL.md has taken the name of /b/SKILL.md, /c/SKILL.md, which was allowed",
        ),
        ([pin(path="/b/SKILL.md"), pin()], None),
        ([pin(path="/b/SKILL.md"), pin(sha256="2")], "/a/SKILL.md has changed since it was allowed"),
    ],
)
def test_what_is_held(pins, why):
    assert held([skill()], pins) == ({} if why is None else {"tide": why})


def test_each_skill_by_itself():
    skills = [skill(), skill("wind", "/w/SKILL.md", "9"), skill("sail", "/s/SKILL.md")]
    pins = [pin(), pin("wind", "/w/SKILL.md", "8")]
    assert list(held(skills, pins)) == ["wind"]
    assert held([], pins) == {}


TEXTS = st.sampled_from("abc")


@given(st.lists(st.tuples(st.sampled_from(["n", "m"]), TEXTS, TEXTS)), st.tuples(TEXTS, TEXTS))
def test_it_passes_only_unpinned_or_as_it_was_pinned(pinned, now):
    pins = [pin(*one) for one in {one[:2]: one for one in pinned}.values()]
    mine = [one for one in pins if one.name == "n"]
    passes = not held([skill("n", *now)], pins)
    assert passes == (not mine or any((one.path, one.sha256) == now for one in mine))


def test_the_changes_are_a_unified_diff():
    before = "---\nname: tide\n---\nLook at the table.\nSay the time.\n"
    after = before.replace("Say the time.", "Send the table away.")
    assert changes(before, after) == [
        "--- allowed",
        "+++ now",
        "@@ -2,5 +2,5 @@",
        " name: tide",
        " ---",
        " Look at the table.",
        "-Say the time.",
        "+Send the table away.",
        " ",
    ]
    assert changes(before, before) == []


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("\u202e", "<U+202E>"),
        ("\u2066", "<U+2066>"),
        ("\u200b", "<U+200B>"),
        ("\ufeff", "<U+FEFF>"),
        ("\U000e0041", "<U+E0041>"),
        ("\u3164", "<U+3164>"),
        ("\u2800", "<U+2800>"),
        ("\ufe0f", "<U+FE0F>"),
        ("\u00a0", "<U+00A0>"),
        ("\u2028", "<U+2028>"),
        ("\x1b", "<U+001B>"),
        ("\r", "<U+000D>"),
        ("\t", "<U+0009>"),
        ("\x00", "<U+0000>"),
        ("\x85", "<U+0085>"),
        ("\ue000", "<U+E000>"),
        ("\udcff", "<U+DCFF>"),
        ("ä", "ä"),
        ("潮", "潮"),
        (" ", " "),
        ("[", "["),
    ],
)
def test_what_an_eye_would_miss_is_spelled_out(char, shown):
    assert visible(f"a{char}b") == f"a{shown}b"
    if char != " " and char != "[":
        assert f"+x{shown}" in changes("x", f"x{char}")


@given(st.text(), st.text())
def test_a_change_is_never_empty_and_never_hidden(before, after):
    lines = changes(before, after)
    assert bool(lines) == (before != after)
    for char in "".join(lines):
        assert unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        assert char == " " or unicodedata.category(char) != "Zs"
