"""When do two names mean one file? What the file system here says, and what each rule makes of a name."""

import stat

import pytest

from engine.scopes.folding import ASSUMED, EXACT, Folding, Foldings, fold, probe

CASE, COMPOSE = Folding(case=True), Folding(compose=True)


@pytest.mark.parametrize(
    ("one", "other", "rules"),
    [
        ("a", "A", {CASE, ASSUMED}),
        ("ß", "SS", {CASE, ASSUMED}),
        ("Σ", "ς", {CASE, ASSUMED}),
        ("\u00e9", "e\u0301", {COMPOSE, ASSUMED}),
        ("\u00c9", "e\u0301", {ASSUMED}),
        ("a\u00adb", "ab", {COMPOSE, ASSUMED}),
        ("a\ufe0fb", "ab", {COMPOSE, ASSUMED}),
        ("\ufb01", "fi", {CASE, ASSUMED}),
        ("\u2126", "\u03a9", {CASE, COMPOSE, ASSUMED}),
        ("a", "b", set()),
        ("é", "e", set()),
    ],
)
def test_names_that_are_one(one, other, rules):
    assert {rule for rule in (EXACT, CASE, COMPOSE, ASSUMED) if fold(one, rule) == fold(other, rule)} == rules


def test_folding_twice_changes_nothing():
    for rule in (EXACT, CASE, COMPOSE, ASSUMED):
        for char in map(chr, (*range(1, 0x3000), *range(0xAC00, 0xAC80), *range(0xF900, 0xFB50))):
            assert fold(fold(char, rule), rule) == fold(char, rule)


def test_the_stricter_of_two_rules_does_not_win():
    assert CASE | COMPOSE == ASSUMED
    assert EXACT | CASE == CASE | EXACT == CASE
    assert EXACT | EXACT == EXACT


def test_the_probe_says_what_the_file_system_does_and_leaves_nothing(tmp_path):
    (tmp_path / "probe-a\u00e9").write_text("")
    found = Folding(
        case=(tmp_path / "PROBE-A\u00c9").exists(),
        compose=(tmp_path / "probe-ae\u0301").exists(),
    )
    assert probe(str(tmp_path)) == found
    assert Foldings().of(str(tmp_path), tmp_path.stat().st_dev) == found
    assert [path.name for path in tmp_path.iterdir()] == ["probe-a\u00e9"]


def test_where_nobody_can_ask_both_are_assumed_and_asked_again_elsewhere(tmp_path):
    foldings = Foldings()
    assert probe(str(tmp_path / "gone")) is None
    assert foldings.of(str(tmp_path / "gone"), tmp_path.stat().st_dev) == ASSUMED
    assert foldings.of(str(tmp_path), tmp_path.stat().st_dev) == probe(str(tmp_path))


def test_a_file_system_is_asked_once(tmp_path):
    foldings, device = Foldings(), tmp_path.stat().st_dev
    first = foldings.of(str(tmp_path), device)
    before = tmp_path.stat()
    (tmp_path / "x").mkdir(mode=stat.S_IRWXU)
    untouched = (tmp_path / "x").stat().st_mtime_ns
    assert foldings.of(str(tmp_path / "x"), device) == first
    assert (tmp_path / "x").stat().st_mtime_ns == untouched
    assert before.st_dev == device
