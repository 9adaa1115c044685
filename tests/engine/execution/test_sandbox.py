"""What can the kernel do, and with what is a run held then? Asked of this one, and of ones that are told."""

import os
import stat
import sys
from pathlib import Path

import msgspec
import pytest

from engine.contract.outcome import SandboxRules
from engine.execution import sandbox
from engine.execution.landlock import abi
from engine.execution.readable import readable
from engine.execution.sandbox import Features, bwrap_prefix, features, means_of, sandbox_findings, word

ALL = Features(7, "/usr/bin/bwrap", "")
change = msgspec.structs.replace


def has(version, bwrap):
    return change(ALL, landlock_abi=version, bwrap="/usr/bin/bwrap" if bwrap else None, bwrap_why="" if bwrap else "no")


@pytest.mark.parametrize(
    ("wanted", "version", "bwrap", "means", "kept"),
    [
        ("prefer", 7, True, "landlock", "landlock(7)"),
        ("require", 3, False, "landlock", "landlock(3)"),
        ("prefer", 2, True, "bwrap", "bwrap"),
        ("prefer", 2, False, "landlock", "landlock(2)"),
        ("prefer", 0, True, "bwrap", "bwrap"),
        ("prefer", 0, False, "advisory", "advisory"),
        ("require", 0, False, "advisory", "advisory"),
        ("off", 7, True, "off", "off"),
    ],
)
def test_the_strongest_that_the_kernel_has_holds_a_run(wanted, version, bwrap, means, kept):
    found = means_of(wanted, has(version, bwrap))
    assert (found, word(found, has(version, bwrap))) == (means, kept)


def test_this_kernel_is_asked_for_real_and_once():
    found = features()
    assert found.landlock_abi == abi()
    assert (found.bwrap is None) == bool(found.bwrap_why)
    assert features() is found


def a_bwrap(folder, script):
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "No permissions to create new namespace"),
        ('while [ "$1" != -- ]; do shift; done; shift; cd "$(dirname "$PWD")"; exec "$@"', "does not work here"),
        ("exit 0", "does not work here"),
    ],
)
def test_a_bwrap_that_is_there_and_does_not_hold_anything_counts_as_none(tmp_path, monkeypatch, script, why):
    monkeypatch.setenv("PATH", f"{a_bwrap(tmp_path, script)}:{os.environ['PATH']}")
    path, said = sandbox._bwrap()
    assert path is None
    assert why in said


def test_no_bwrap_at_all_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sandbox._bwrap() == (None, "it is not on the engine's PATH")


def test_what_is_bound_comes_after_what_holds_it_and_a_read_never_covers_a_write():
    rules = SandboxRules(write=("/w/out", "/w", "/dev/shm"), read=("/w/out/a", "/usr", "/proc"))
    words = bwrap_prefix("/usr/bin/bwrap", rules, "/w")
    binds = [words[at : at + 2] for at, text in enumerate(words) if text in ("--bind", "--ro-bind-try", "--ro-bind")]
    assert binds == [("--bind", "/proc"), ("--ro-bind-try", "/usr"), ("--bind", "/w"), ("--bind", "/w/out")]
    assert words[-3:] == ("--chdir", "/w", "--")


@pytest.mark.parametrize(
    ("found", "levels"),
    [
        (ALL, {"landlock": "ok", "bwrap": "ok"}),
        (has(2, False), {"landlock": "note", "bwrap": "note"}),
        (has(0, False), {"landlock": "note", "bwrap": "note"}),
        (has(7, False), {"bwrap": "ok"}),
    ],
)
def test_the_doctor_is_told_of_every_feature_and_what_to_do(monkeypatch, found, levels):
    monkeypatch.setattr(sandbox, "features", lambda: found)
    told = {name: (level, text, fix) for name, level, text, fix in sandbox_findings()}
    assert levels.items() <= {name: level for name, (level, _, _) in told.items()}.items()
    assert all(text for _, text, _ in told.values())
    assert all(told[name][2] for name in ("landlock", "bwrap") if told[name][0] == "note")


def test_the_doctor_is_told_of_control_groups_and_pidfds(monkeypatch):
    for there, level in ((True, "ok"), (False, "note")):
        monkeypatch.setattr(sandbox, "_has_cgroup_kill", lambda there=there: there)
        monkeypatch.setattr(sandbox, "_has_pidfd", lambda there=there: there)
        told = {name: said for name, said, _, _ in sandbox_findings()}
        assert (told["cgroup"], told["pidfd"]) == (level, level)


@pytest.fixture
def user(tmp_path):
    """A home with a program that is a link to a script of another program, in a folder of its own."""
    home = tmp_path / "home"
    for folder in (".local/bin", ".local/share/tool/1.0/bin", ".nvm/v22/bin", ".ssh", "bin", "npm/node_modules/x/y"):
        (home / folder).mkdir(parents=True)
    script = home / "npm/node_modules/x/y/cli.js"
    script.write_text("#!/usr/bin/env -S node --flag\n")
    node = home / ".nvm/v22/bin/node"
    node.write_text("\x7fELF")
    for path in (script, node):
        path.chmod(stat.S_IRWXU)
    (home / ".local/bin/tool").symlink_to("../share/tool/1.0/bin/tool")
    (home / ".local/share/tool/1.0/bin/tool").symlink_to(script)
    return home


def reads(user, *programs, search="", private=()):
    return [Path(path) for path in readable(programs, search, user, private)]


def test_a_program_is_read_with_its_links_its_package_and_its_interpreter(user):
    found = reads(user, str(user / ".local/bin/tool"), search=f"{user}/.nvm/v22/bin")
    for folder in (".local/bin", ".local/share/tool/1.0", "npm/node_modules", ".nvm/v22"):
        assert user / folder in found, folder


def test_a_script_names_its_interpreter_with_or_without_env(user):
    script = user / "bin" / "script"
    for line in (f"#!{user}/.nvm/v22/bin/node --flag", f"#! /usr/bin/env A=1 -S {user}/.nvm/v22/bin/node"):
        script.write_text(f"{line}\n")
        script.chmod(stat.S_IRWXU)
        assert user / ".nvm/v22" in reads(user, str(script)), line


def test_never_the_home_of_a_user_nor_what_holds_something_private(user):
    (user.parent / "other").symlink_to(user)
    ways = (user, f"{user}/.local", f"{user}/.nvm/v22", user.parent, f"{user}/bin/..", user.parent / "other")
    search = "relative::/bin:" + ":".join(f"{way}/bin" for way in ways)
    found = reads(user, "tool", search=search, private=(user / ".nvm" / "v22" / "keys",))
    above = {user, *user.parents, user / ".local", user / ".config", user / ".ssh", user / ".nvm/v22", Path("relative")}
    assert not above & {path.resolve() for path in found}
    assert user / "bin" in found
    assert user / ".nvm/v22/bin" in found


def test_a_virtual_environment_is_read_with_the_installation_below_it(user):
    found = reads(user, sys.executable)
    assert Path(sys.prefix) in found or sys.prefix.startswith("/usr")
    assert Path(sys.base_prefix).resolve() in found or sys.base_prefix.startswith("/usr")


def test_disks_are_not_read_and_gits_settings_are_without_its_passwords(user):
    found = reads(user)
    assert Path("/dev") not in found
    assert user / ".gitconfig" in found
    assert user / ".git-credentials" not in found


def test_links_that_lead_in_a_circle_end(user):
    (user / "bin" / "loop").symlink_to("loop")
    assert reads(user, str(user / "bin" / "loop"))
