"""Does the scope that an agent's file requests are held to say the same as the engine's own, and never more?"""

import itertools
import os
from pathlib import Path

import pytest

from engine.adapters.acp_client.scope import Denied, Scope
from engine.scopes.scope import covers, resolve_scope

PATTERNS = [
    "src",
    "src/",
    "./src",
    "*.md",
    "src/*.py",
    "src/**",
    "**/x.py",
    "{a,b}.txt",
    "src/*",
    "s{rc,ome{/a,/b}}",
    "[ab].txt",
    ".",
]
PATHS = [
    "src",
    "src/x.py",
    "src/deep/x.py",
    "src/none/x.py",
    "src/file/x.py",
    "a.md",
    ".a.md",
    "src/a.md",
    "x.py",
    "a.txt",
    "b.txt",
    "c.txt",
    "some/a",
    "some/c",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_covers_what_the_engine_covers(pattern, tmp_path):
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "src" / "file").write_text("")
    (tmp_path / "some").mkdir()
    mine, engines = Scope(str(tmp_path), (), (pattern,)), resolve_scope(tmp_path, (pattern,))
    files = [tmp_path / path for path in PATHS if path != "src"]
    assert [mine.may_write(str(path)) for path in files] == [covers(engines, str(path)) for path in files]


@pytest.mark.parametrize("pattern", ["../x", "/etc", "~/x", "!a", "src/../..", "{" + ",".join("ab" * 200) + "}"])
def test_a_pattern_that_is_not_understood_covers_nothing(pattern, tmp_path):
    scope = Scope(str(tmp_path), (), (pattern,))
    assert not any(
        scope.may_write(path) for path in (str(tmp_path / "x"), "/etc/x", str(tmp_path / "a"), str(tmp_path))
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A workspace with ways out of it."""
    work = tmp_path / "work"
    (work / "in").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (work / "in" / "link").symlink_to(tmp_path / "secret")
    (work / "in" / "folder").symlink_to(tmp_path)
    (work / "in" / "other").hardlink_to(tmp_path / "secret")
    return work


WAYS_OUT = ["in/link", "in/folder/secret", "in/../../secret", "in/folder/new", "in/other"]


@pytest.mark.parametrize("way", WAYS_OUT)
def test_there_is_no_way_out(way, place):
    scope = Scope(str(place), (), ("in",))
    path = f"{place}/{way}"
    assert not scope.may_write(path)
    with pytest.raises(Denied):
        scope.write(path, "gone")
    assert (place.parent / "secret").read_text() == "secret"
    assert not (place.parent / "new").exists()
    if way != "in/other":  # it is in the workspace, whatever else it is called
        with pytest.raises(Denied):
            scope.read(path)


@pytest.mark.parametrize("path", ["", "in/x", "/", "/etc/passwd", "/proc/self/environ"])
def test_only_absolute_paths_below_the_workspace_are_taken(path, place):
    scope = Scope(str(place), (), (".",))
    for use in (lambda: scope.read(path), lambda: scope.write(path, "x")):
        with pytest.raises(Denied):
            use()


def test_a_neighbour_with_a_longer_name_is_no_workspace(place):
    neighbour = place.with_name("workshop")
    neighbour.mkdir()
    assert not Scope(str(place), (), (".",)).may_write(f"{neighbour}/x")


def test_a_workspace_is_known_by_both_of_its_names(place):
    alias = place.with_name("alias")
    alias.symlink_to(place)
    scope = Scope(str(alias), (), ("new",))
    for root, text in itertools.product((alias, place), ("one", "a longer one", "")):
        scope.write(f"{root}/new", text)
        assert scope.read(f"{root}/new") == text


def test_what_is_no_file_is_neither_read_nor_written(place):
    os.mkfifo(place / "in" / "pipe")
    scope = Scope(str(place), (), ("in",))
    for use in (lambda: scope.read(f"{place}/in/pipe"), lambda: scope.write(f"{place}/in/pipe", "x")):
        with pytest.raises((Denied, OSError)):
            use()
    assert not scope.may_write(f"{place}/in/pipe")


def test_a_missing_file_is_empty_only_where_it_may_be_made(place):
    scope = Scope(str(place), (), ("in/new",))
    assert scope.read(f"{place}/in/new") == ""
    with pytest.raises(FileNotFoundError):
        scope.read(f"{place}/in/none")
