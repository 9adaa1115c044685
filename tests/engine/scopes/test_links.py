"""Names that lead elsewhere: links, other names of one file, mounts. Judged beside an enumeration of every path."""

import os
import subprocess
import sys
from fnmatch import fnmatchcase
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.scopes.conflict import check_pair, clash
from engine.scopes.scope import covers, resolve_scope

ROOT = Path(__file__).parents[3]


def grow(root):
    """Folders a and a/b, links to them, to files and to nothing, and a file of two names."""
    (root / "a" / "b").mkdir(parents=True)
    (root / "c").mkdir()
    (root / "a" / "f").write_text("")
    (root / "a" / "b" / "g").write_text("")
    os.link(root / "a" / "b" / "g", root / "c" / "g")
    (root / "l").symlink_to("a/b")
    (root / "c" / "l").symlink_to(root / "a")
    (root / "c" / "f").symlink_to("../a/f")
    (root / "m").symlink_to("new/x")
    return root


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    return grow(tmp_path_factory.mktemp("flat") / "w")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """With a link to a folder that it lies in: every file has names without end."""
    root = grow(tmp_path_factory.mktemp("links") / "w")
    (root / "a" / "up").symlink_to("..")
    return root


@pytest.mark.parametrize(
    ("one", "other", "witness"),
    [
        ("l", "a/b", "a/b/g"),
        ("l/q", "a/b/q", "a/b/q"),
        ("l/q", "a/*", "a/b/q"),
        ("l", "c", "a/b/g"),
        ("l", "c/f", None),
        ("l/..", "a", "a/b/g"),
        ("l/../q", "a/q", "a/q"),
        ("l/../q", "q", None),
        ("c/l/up/q", "q", "q"),
        ("m", "new/x", "new/x"),
        ("m/y", "new/*/y", "new/x/y"),
        ("m", "new/y", None),
        ("?", "new/x", "new/x"),
        ("?/y", "new/x/y", "new/x/y"),
        ("*/q", "a/b/q", "a/b/q"),
        ("c/*/q", "a/q", "a/q"),
        ("c", "a/q", "a/q"),
        ("c/**/q", "a/b/q", "a/b/q"),
        ("c/*", "a/f", "a/f"),
        ("c/f", "a/f", "a/f"),
        ("c/f", "a/b", None),
        ("c/g", "a/b/g", "c/g"),
        ("c/g", "a/b/h", None),
        ("c/?", "a/b/g", "c/g"),
        ("a/b/g", "c/[gh]", "a/b/g"),
        ("l/g", "c/[g-h]", "a/b/g"),
        ("l/h", "c/[gh]", None),
        ("a/f", "c/g", None),
        ("a/*/q", "q", "q"),
        ("a", "new/z", "new/z"),
        ("{,new/}x", "new/x", "new/x"),
        ("{*/x,m/x}", "new/x/x", "new/x/x"),
    ],
)
def test_a_pair_of_writers(tree, one, other, witness):
    assert check_pair(tree, "w", [one], "w", [other]).witness == witness
    back = check_pair(tree, "w", [other], "w", [one])
    assert (back.witness is None) is (witness is None)


NAMES = ("a", "b", "c", "f", "g", "l", "up", "q")
UNIVERSE = [names for depth in (1, 2, 3) for names in product(NAMES, repeat=depth)]


def matches(pattern, names):
    if not pattern:
        return not names
    if pattern[0] == "**":
        return matches(pattern[1:], names) or (bool(names) and matches(pattern, names[1:]))
    return bool(names) and fnmatchcase(names[0], pattern[0]) and matches(pattern[1:], names[1:])


@cache
def truth(path):
    """Which file this name means: every name of it gives the same answer."""
    real = path.resolve()
    if real.is_file():
        status = real.stat()
        return (status.st_dev, status.st_ino)
    return real


@cache
def covered(root, pattern):
    """By enumeration: each name in the universe that the pattern covers, as the file that it means."""
    is_glob = any(char in part for part in pattern for char in "*?[")
    whole = {names for names in [(), *UNIVERSE] if matches(pattern, names)}
    tops = {names for names in whole if not is_glob or root.joinpath(*names).is_dir()}
    below = [names for names in UNIVERSE if any(names[:length] in tops for length in range(len(names)))]
    return {truth(root.joinpath(*names)) for names in (*whole, *below)}


parts = st.sampled_from([*NAMES, "*", "**", "?", "[ab]", "[!a]", "*p", "g*"])
patterns = st.lists(parts, min_size=1, max_size=3).map(tuple)


@settings(max_examples=200, deadline=None)
@given(one=patterns, other=patterns)
def test_what_enumeration_finds_is_found(tree, one, other):
    verdict = check_pair(tree, "w", ["/".join(one)], "w", ["/".join(other)])
    if covered(tree, one) & covered(tree, other):
        assert verdict.verdict == "conflict"
    if verdict.verdict == "conflict":
        for text in (one, other):
            assert covers(resolve_scope(tree, ["/".join(text)]), str(tree / verdict.witness))


@settings(max_examples=300, deadline=None)
@given(one=patterns, other=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple))
def test_covers_is_what_enumeration_says(flat, one, other):
    """Of files near the root: the names of deeper ones are not all enumerated. A link is judged as the link."""
    path = flat.joinpath(*other)
    if not path.is_symlink() and len(path.resolve().relative_to(flat).parts) < 3:
        assert covers(resolve_scope(flat, ["/".join(one)]), str(path)) is (truth(path) in covered(flat, one))


@settings(max_examples=200, deadline=None)
@given(one=st.lists(patterns, min_size=1, max_size=3), other=st.lists(patterns, min_size=1, max_size=3))
def test_links_leave_it_symmetric_and_reflexive(tree, one, other):
    mine, theirs = (resolve_scope(tree, ["/".join(parts) for parts in scope]) for scope in (one, other))
    assert (clash(mine, theirs) is None) is (clash(theirs, mine) is None)
    assert clash(mine, mine) is not None


@pytest.fixture
def mount(tmp_path):
    """Mounts one path on another in a name space of our own, and runs Python there."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("no name spaces here")

    def run(source, target, code):
        script = f'mount --bind "$1" "$2" && cd {ROOT} && exec {sys.executable} -c "$3"'
        command = ["unshare", "-rm", "sh", "-c", script, "sh", str(source), str(target), code]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    return run


PAIRS = [
    ("b/x", "a/x", "conflict"),
    ("b", "a/new/x", "conflict"),
    ("*/sub/x", "a/sub/x", "conflict"),
    ("[b]/sub/*", "a/sub/x", "conflict"),
    ("[b]/*", "[a]/*", "conflict"),
    ("[b]/*", "a/sub/x", "conflict"),
    ("**/*u*", "a/sub/x", "conflict"),
    ("[b]/x", "a/y", "ok"),
    ("b/x", "a/y", "ok"),
    ("b/sub", "[a]/sub/x", "conflict"),
]


@pytest.mark.parametrize("at", ["w/b", "elsewhere"])
def test_a_folder_that_is_mounted_twice_is_one(tmp_path, mount, at):
    (tmp_path / "w/a/sub").mkdir(parents=True)
    (tmp_path / "w/b").mkdir()
    (tmp_path / "elsewhere").mkdir()
    code = f"""
from pathlib import Path
from engine.scopes.conflict import check_pair, clash
from engine.scopes.scope import resolve_scope
w, pairs = Path({str(tmp_path / "w")!r}), {PAIRS!r}
if {at!r} == "w/b":
    print(*(check_pair(w, "w", [one], "w", [other]).verdict for one, other, _ in pairs))
else:
    theirs = resolve_scope(w.parent / "elsewhere", ["sub/x"])
    for text in ("a/sub/x", "*/sub/x", "[a]/*/x", "a/x"):
        print("ok" if clash(resolve_scope(w, [text]), theirs) is None else "conflict")
"""
    said = mount(tmp_path / "w/a", tmp_path / at, code)
    assert said == ([pair[2] for pair in PAIRS] if at == "w/b" else ["conflict", "conflict", "conflict", "ok"])


def test_a_file_that_is_mounted_on_another_is_one(tmp_path, mount):
    for name in ("a", "b"):
        (tmp_path / name).write_text("")
    code = f"""
from pathlib import Path
from engine.scopes.conflict import check_pair
w = Path({str(tmp_path)!r})
print(check_pair(w, "w", ["a"], "w", ["[b]"]).verdict, check_pair(w, "w", ["a"], "w", ["c"]).verdict)
"""
    assert mount(tmp_path / "a", tmp_path / "b", code) == ["conflict", "ok"]
