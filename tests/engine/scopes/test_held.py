"""Scopes that change while runs are live: judged by what they were and by what they are now."""

import os
import threading

import msgspec
import pytest

from engine.scopes.conflict import HeldScope, clash, decide
from engine.scopes.folding import ASSUMED
from engine.scopes.scope import Scope, resolve_scope


@pytest.fixture
def root(tmp_path):
    for name in ("src/a", "lib", "w2"):
        (tmp_path / "w" / name).mkdir(parents=True)
    (tmp_path / "w" / "src" / "a.py").write_text("")
    return tmp_path / "w"


def hold(root, *patterns, run_id=1, mode="w"):
    """A live run's scope, as it comes back from where it is stored."""
    resolved = resolve_scope(root, patterns, mode=mode)
    assert resolved.problems == ()
    stored = msgspec.json.decode(msgspec.json.encode(resolved), type=Scope)
    return HeldScope(run_id, "coder", str(root), patterns, stored, mode)


def witnesses(root, patterns, held, mode="w", **options):
    found = decide(resolve_scope(root, patterns, mode=mode), held, **options)
    return {one.run_id: shared.witness for one, shared in found}


def test_each_live_scope_that_is_in_the_way_is_named(root):
    held = [hold(root, "src/*.py", run_id=1), hold(root, "lib", run_id=2), hold(root, "src", run_id=3)]
    assert witnesses(root, ["src/a.py"], held) == {1: "src/a.py", 3: "src/a.py"}
    assert witnesses(root, ["docs"], held) == {}
    assert witnesses(root, [], held) == {}


def test_readers_are_told_of_writers_and_not_of_readers(root):
    held = [hold(root, "src", run_id=1, mode="r"), hold(root, "src", run_id=2)]
    assert set(witnesses(root, ["src/a.py"], held)) == {1, 2}
    assert set(witnesses(root, ["src/a.py"], held, mode="r")) == {2}


def test_a_held_folder_that_became_a_link(root):
    held = [hold(root, "out")]
    assert witnesses(root, ["src/a.py"], held) == {}
    (root / "out").symlink_to("src")
    assert clash(resolve_scope(root, ["src/a.py"]), held[0].resolved) is None
    assert witnesses(root, ["src/a.py"], held) == {1: "src/a.py"}
    assert witnesses(root, ["lib"], held) == {}


def test_a_held_link_that_became_a_folder_holds_both(root):
    (root / "out").symlink_to("src")
    held = [hold(root, "out")]
    (root / "out").unlink()
    (root / "out").mkdir()
    assert witnesses(root, ["src/a.py"], held) == {1: "src/a.py"}
    assert witnesses(root, ["out/x"], held) == {1: "out/x"}
    assert witnesses(root, ["lib"], held) == {}


def test_a_link_made_below_a_held_folder(root):
    held = [hold(root, "lib")]
    (root / "lib" / "deep").mkdir()
    (root / "lib" / "deep" / "s").symlink_to(root / "src")
    assert witnesses(root, ["src/a.py"], held) == {1: "src/a.py"}
    assert witnesses(root, ["w2"], held) == {}


def test_a_folder_made_where_a_held_glob_matches(root):
    held = [hold(root, "src/*")]
    assert witnesses(root, ["src/new/x"], held) == {}
    (root / "src" / "new").mkdir()
    assert witnesses(root, ["src/new/x"], held) == {1: "src/new/x"}


def test_a_second_name_made_for_a_held_file(root):
    (root / "lib" / "b.py").write_text("")
    held = [hold(root, "lib/*")]
    assert witnesses(root, ["src/a.py"], held) == {}
    (root / "lib" / "b.py").unlink()
    os.link(root / "src" / "a.py", root / "lib" / "b.py")
    assert witnesses(root, ["src/a.py"], held) == {1: "src/a.py"}
    assert witnesses(root, ["src/a"], held) == {}


def test_a_held_folder_that_was_renamed_is_held_under_both_names(root):
    held = [hold(root, "src/a")]
    (root / "src" / "a").rename(root / "moved")
    assert witnesses(root, ["moved/x"], held) == {1: "moved/x"}
    assert witnesses(root, ["src/a/x"], held) == {1: "src/a/x"}
    assert witnesses(root, ["src/b"], held) == {}


def test_a_held_folder_that_was_made_anew(root):
    held = [hold(root, "lib/x", "lib/*.c")]
    (root / "lib").rename(root / "gone")
    (root / "lib").mkdir()
    mine = resolve_scope(root, ["lib/x"])
    assert clash(mine, held[0].resolved).witness == "lib/x"
    assert witnesses(root, ["lib/main.c"], held) == {1: "lib/main.c"}
    assert witnesses(root, ["lib/y"], held) == {}


def test_a_held_folder_that_was_made_since(root):
    held = [hold(root, "new/x")]
    (root / "new").mkdir()
    assert clash(resolve_scope(root, ["new/x/y"]), held[0].resolved).witness == "new/x/y"
    assert clash(resolve_scope(root, ["new/y"]), held[0].resolved) is None


def test_a_held_link_that_leads_out_now_is_followed_all_the_same(root):
    held = [hold(root / "w2", "out")]
    (root / "w2" / "out").symlink_to(root / "src")
    assert witnesses(root, ["src/a.py"], held) == {1: "src/a.py"}
    assert witnesses(root, ["lib"], held) == {}


def test_what_cannot_be_looked_at_any_more_is_in_the_way_of_its_own_workspace_only(root, tmp_path):
    held = [hold(root, "lib/*/x")]
    for number in range(20):
        (root / "lib" / f"d{number}").mkdir()
    ((found, shared),) = decide(resolve_scope(root, ["w2"]), held, entries_max=15)
    assert (found, shared.decided, shared.theirs) == (held[0], False, "lib/*/x")
    (tmp_path / "other").mkdir()
    assert decide(resolve_scope(tmp_path / "other", ["x"]), held, entries_max=15) == []
    assert decide(resolve_scope(root, ["w2"]), held) == []


def test_a_loop_made_in_a_held_scope_is_in_the_way(root):
    held = [hold(root, "lib")]
    (root / "lib" / "loop").symlink_to("loop")
    ((_, shared),) = decide(resolve_scope(root, ["src"]), held)
    assert not shared.decided


def test_names_that_are_no_text_can_be_stored_and_clash(root):
    odd = os.fsdecode(b"d\xff")
    (root / "src" / odd).mkdir()
    (root / "lib" / "to").symlink_to(root / "src" / odd)
    (root / "src" / odd / "a").write_text("")
    os.link(root / "src" / odd / "a", root / "lib" / "a")
    held = [hold(root, "src/*", run_id=1), hold(root, "lib/to/x", run_id=2), hold(root, "lib/[a]", run_id=3)]
    assert set(witnesses(root, ["lib/to/x"], held)) == {1, 2}
    assert set(witnesses(root, ["src/d?"], held)) == {1, 2, 3}
    assert set(witnesses(root, ["src/[!d]*"], held)) == {1}


def test_a_workspace_that_has_gone_is_still_held_by_name(root):
    held = [hold(root / "w2", "x")]
    (root / "w2").rmdir()
    assert witnesses(root, ["w2/x/y"], held) == {1: "w2/x/y"}
    assert witnesses(root, ["w2/y"], held) == {}


def test_a_scope_that_was_not_kept_is_judged_by_what_it_is_now(root):
    held = [HeldScope(1, "coder", str(root), ("src",), None)]
    assert witnesses(root, ["src/a.py"], held) == {1: "src/a.py"}
    assert witnesses(root, ["lib"], held) == {}


def test_the_rule_of_the_file_system_can_be_given(root):
    held = [HeldScope(1, "coder", str(root), ("NEW",), None)]
    assert witnesses(root, ["new/x"], held) == {}
    assert witnesses(root, ["new/x"], held, folding=ASSUMED) == {1: "new/x"}


def test_threads_may_decide_at_once(root):
    held = [hold(root, f"src/d{number}/*", run_id=number) for number in range(20)]
    answers = []
    work = [threading.Thread(target=lambda: answers.append(witnesses(root, ["src/d7/q"], held))) for _ in range(8)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert answers == [{7: "src/d7/q"}] * 8
