"""What else decides whether two scopes clash: how names are compared, who writes, and whose workspace it is."""

from pathlib import Path

import pytest

from engine.scopes.conflict import check_pair, clash, weigh
from engine.scopes.folding import ASSUMED, EXACT, Folding
from engine.scopes.scope import resolve_scope
from engine.scopes.survey import Survey


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree") / "w"
    for name in ("src/main.py", "src/a/x.py", "docs/index.md", "lib/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


CASE, COMPOSE = Folding(case=True), Folding(compose=True)
FOLDED = [
    ("readme.md", "README.MD", CASE, True),
    ("readme.md", "README.MD", EXACT, False),
    ("readme.md", "README.MD", COMPOSE, False),
    ("new/Deep", "NEW/deep/x", CASE, True),
    ("*.md", "X.MD", CASE, True),
    ("*.md", "X.MD", EXACT, False),
    ("*.MD", "*.md", CASE, True),
    ("[a-c]x", "Bx", CASE, True),
    ("[a-c]x", "Dx", CASE, False),
    ("[!a]", "a", CASE, True),
    ("[!a]", "a", EXACT, False),
    ("[!bB]", "b", CASE, False),
    ("[bc]", "A", CASE, False),
    ("a?", "AB", CASE, True),
    ("a?", "ABC", CASE, False),
    ("**/Makefile", "new/makefile", CASE, True),
    ("straße", "STRASSE", CASE, True),
    ("straße", "STRASSE", COMPOSE, False),
    ("stra*e", "STRASSE", CASE, True),
    ("stra?e", "strasse", CASE, True),
    ("stra?e", "strasse", EXACT, False),
    ("ﬁx", "FIX", CASE, True),
    ("\u212a", "k", CASE, True),
    ("caf\u00e9", "cafe\u0301", COMPOSE, True),
    ("caf\u00e9", "cafe\u0301", CASE, False),
    ("caf?", "cafe\u0301", COMPOSE, True),
    ("caf?", "cafe\u0301", EXACT, False),
    ("caf[é]", "cafe\u0301", COMPOSE, True),
    ("caf[à-ü]*", "cafe\u0301x", COMPOSE, True),
    ("caf\u00e9", "CAFE\u0301", ASSUMED, True),
    ("caf\u00e9", "cafe", ASSUMED, False),
    ("a\u200db", "ab", COMPOSE, True),
    ("a\u200db", "ab", CASE, False),
    ("q\u0307\u0323", "q\u0323\u0307", COMPOSE, True),
    ("가", "\u1100\u1161", COMPOSE, True),
    ("SRC/main.py", "new/x", ASSUMED, False),
]


@pytest.mark.parametrize(("one", "other", "rule", "expected"), FOLDED)
def test_names_that_do_not_exist_are_compared_as_their_folder_does(tree, one, other, rule, expected):
    survey = Survey(tree, folding=rule)
    mine, theirs = resolve_scope(tree, [one], survey), resolve_scope(tree, [other], survey)
    assert (clash(mine, theirs) is not None) is expected
    assert (clash(theirs, mine) is not None) is expected


def test_two_folders_that_exist_are_told_apart_whatever_the_rule(tmp_path):
    for name in ("Src", "src"):
        (tmp_path / name).mkdir()
    survey = Survey(tmp_path, folding=ASSUMED)
    upper, lower = (resolve_scope(tmp_path, [name], survey) for name in ("Src/x", "src/x"))
    assert clash(upper, lower) is None
    assert clash(upper, upper) is not None


@pytest.mark.parametrize(
    ("a", "b", "shared", "apart"),
    [("w", "w", "conflict", "ok"), ("w", "r", "warn", "ok"), ("r", "w", "warn", "ok"), ("r", "r", "ok", "ok")],
)
def test_what_a_shared_path_means_depends_on_who_writes(tree, a, b, shared, apart):
    assert weigh(a, b) == shared
    assert check_pair(tree, a, ["src"], b, ["src/main.py"]).verdict == shared
    assert check_pair(tree, a, ["src"], b, ["docs"]).verdict == apart
    assert check_pair(tree, a, ["src", ".."], b, ["docs"]).verdict == "refused"
    assert check_pair(tree, a, ["src"], b, ["**.py"]).verdict == "refused"


def test_an_empty_scope_conflicts_with_nothing(tree):
    assert check_pair(tree, "w", [], "w", ["**"]).verdict == "ok"
    assert check_pair(tree, "w", [], "w", []).verdict == "ok"


def test_the_patterns_that_lead_there_are_named(tree):
    mine, theirs = resolve_scope(tree, ["docs", "src/*.py"]), resolve_scope(tree, ["lib", "src/main.py"])
    found = clash(mine, theirs)
    assert (found.mine, found.theirs, found.witness) == ("src/*.py", "src/main.py", "src/main.py")


def test_a_workspace_that_does_not_exist_yet_is_compared_by_name(tmp_path):
    ways = [resolve_scope(tmp_path / "gone", [name]) for name in ("x/y", "x", "z")]
    assert clash(ways[0], ways[1]).witness == "x/y"
    assert clash(ways[0], ways[2]) is None


def test_workspaces_inside_each_other_are_told_from_one_root(tree):
    inner = resolve_scope(tree / "src", ["*.py"])
    outer = resolve_scope(tree, ["src/main.py"])
    assert clash(inner, outer).witness == "main.py"
    assert clash(outer, inner).witness == "src/main.py"
    assert clash(resolve_scope(tree / "docs", ["**"]), outer) is None


def test_a_witness_outside_of_the_first_workspace_is_absolute(tree):
    inner, outer = resolve_scope(tree / "src", ["a"]), resolve_scope(Path("/"), [f"{tree}/src/a/x.py"])
    assert clash(inner, outer).witness == "a/x.py"
    assert clash(outer, inner).witness == str(tree / "src/a/x.py").lstrip("/")
