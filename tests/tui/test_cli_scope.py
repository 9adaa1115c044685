"""`qd scope check`: two scopes in, a verdict out, with neither engine nor state."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from state.home import Home
from tui.cli.dispatch import capture

ROOT = Path(__file__).parents[2]
GOOD = {"a": {"mode": "w", "scope": ["src"]}, "b": {"mode": "w", "scope": ["src/x"]}}


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Runs the verb on what is typed, in a workspace with a folder `src` and a link `in` to it."""
    (tmp_path / "w" / "src" / "a").mkdir(parents=True)
    (tmp_path / "w" / "in").symlink_to("src")
    home = Home(config=tmp_path / "home", state=tmp_path / "home")

    def run(typed, *words):
        data = typed if isinstance(typed, bytes) else json.dumps(typed).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return capture(["scope", "check", *(words or ("--workspace", str(tmp_path / "w"), "--json"))], home)

    yield run
    assert not (tmp_path / "home").exists()


def pair(one, other, modes="ww"):
    return {"a": {"mode": modes[0], "scope": one}, "b": {"mode": modes[1], "scope": other}}


@pytest.mark.parametrize(
    ("one", "other", "modes", "verdict", "witness"),
    [
        (["src/**/*.py"], ["src/a/*"], "ww", "conflict", "src/a/x.py"),
        (["src/**/*.py"], ["src/a/*"], "wr", "warn", "src/a/x.py"),
        (["src/**/*.py"], ["src/a/*"], "rw", "warn", "src/a/x.py"),
        (["src/**/*.py"], ["src/a/*"], "rr", "ok", None),
        (["docs", "src/*.py"], ["src/*.md", "lib"], "ww", "ok", None),
        (["in/x"], ["src/x"], "ww", "conflict", "src/x"),
        ([], ["src/x"], "ww", "ok", None),
        (["..", "src"], ["docs"], "ww", "refused", None),
        (["src"], ["**.py"], "wr", "refused", None),
        (["日本"], ["日本/語"], "ww", "conflict", "日本/語"),
    ],
)
def test_a_verdict_with_its_witness(check, one, other, modes, verdict, witness):
    code, out, err = check(pair(one, other, modes))
    said = json.loads(out)
    assert (code, err) == (0, "")
    assert set(said) == {"verdict", "witness", "why"}
    assert (said["verdict"], said["witness"]) == (verdict, witness)
    assert said["why"]


def test_a_refusal_names_the_scope_and_the_pattern(check):
    _, out, _ = check(pair(["src"], ["x", "a/../y"]))
    assert json.loads(out)["why"].startswith("b: 'a/../y' has .. after ")


def test_a_person_reads_one_line(check, tmp_path):
    code, out, _ = check(GOOD, "--workspace", str(tmp_path / "w"))
    assert code == 0
    assert out == "conflict: 'src' and 'src/x' share src/x: both would write it"


def test_what_is_shown_to_a_person_is_cleaned(check, tmp_path):
    _, out, _ = check(pair(["src/\x1b[31m"], ["src/*"]), "--workspace", str(tmp_path / "w"))
    assert "\x1b" not in out
    assert out.startswith("conflict")


@pytest.mark.parametrize(
    "typed",
    [
        b"",
        b"{",
        b"\xff\xfe",
        [],
        {},
        {"a": GOOD["a"]},
        GOOD | {"c": 1},
        GOOD | {"b": {"mode": "x", "scope": []}},
        GOOD | {"b": {"mode": "w"}},
        GOOD | {"b": {"mode": "w", "scope": "src"}},
        GOOD | {"b": {"mode": "w", "scope": [1]}},
        GOOD | {"b": {"mode": "w", "scope": [], "more": 1}},
    ],
)
def test_what_makes_no_sense_is_one_line(check, typed):
    code, out, err = check(typed)
    assert (code, out) == (2, "")
    assert err.startswith("qd scope check: standard input: ")
    assert "\n" not in err


@pytest.mark.parametrize("name", ["gone", "file"])
def test_a_workspace_must_be_a_folder(check, tmp_path, name):
    (tmp_path / "file").write_text("")
    code, out, err = check(GOOD, "--workspace", str(tmp_path / name), "--json")
    assert (code, out) == (2, "")
    assert "is not a folder" in err


def test_it_is_a_filter_like_any_other(tmp_path):
    """In a process of its own, in the folder that it stands in."""
    command = [sys.executable, "-m", "tui.cli.main", "scope", "check", "--json", "--workspace", str(tmp_path)]
    done = subprocess.run(command, input=json.dumps(GOOD), capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["witness"] == "src/x"


def test_a_terminal_is_not_waited_for(check, tmp_path, monkeypatch):
    class Terminal(io.TextIOWrapper):
        def isatty(self):
            return True

    words = ["scope", "check", "--workspace", str(tmp_path / "w")]
    monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO(b"")))
    code, _, err = capture(words, Home(config=tmp_path / "home", state=tmp_path / "home"))
    assert code == 2
    assert "it reads two scopes from standard input" in err
