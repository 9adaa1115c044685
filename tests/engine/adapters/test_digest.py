"""Does the digest agent's real child do what its adapter says: new, resumed, refused, written?"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.adapters.digest import DigestAdapter
from engine.adapters.registry import adapter
from engine.contract.launch import RunUsage
from engine.tokens.count import count_tokens

if TYPE_CHECKING:
    from conftest import Bench

DIGEST = DigestAdapter()
RULES = ("instructions", "AGENT.md", "Be brief.")
TASK = ("task", "task", "What is open?")


def notes(text: str) -> tuple[str, str, str]:
    return ("file", "notes.md", text)


def test_a_new_conversation(bench: "Bench") -> None:
    (bench.workspace / "notes.md").write_text("- [ ] on disk, but not injected\n")
    result = bench.run(DIGEST, bench.request(RULES, notes("- [ ] fetch the pilot\n"), TASK))
    assert result.ok
    assert result.text.startswith("1 open item in 1 file with 1 line; 1 other part\nTask: What is open?\n")
    assert "- notes.md:1 [ ] fetch the pilot" in result.text
    assert "on disk" not in result.text
    assert "Changed since" not in result.text
    assert result.usage == RunUsage(30, count_tokens(result.text).tokens, cost_microusd=0)
    assert [(path.name, path.stat().st_mode & 0o777) for path in bench.state.iterdir()] == [
        ("conversation-1.json", 0o600)
    ]


def test_resumed_with_a_change(bench: "Bench") -> None:
    bench.run(DIGEST, bench.request(notes("one\ntwo\n"), ("file", "old.md", "x"), TASK))
    again = bench.request(notes("one\nthree\n"), ("file", "new.md", "y"), TASK, resume=True)
    result = bench.run(DIGEST, again)
    assert result.ok
    section = result.text.split("## Changed since the last run\n")[1].split("\n\n")[0]
    changed = [
        "- notes.md: changed, 1 line added, 1 removed",
        "  + three",
        "  - two",
        "- new.md: new",
        "- old.md: gone",
    ]
    assert section.split("\n") == changed
    assert "Nothing: all 2 files are as they were." in bench.run(DIGEST, again).text


@pytest.mark.parametrize("case", ["unknown", "corrupt", "escaping"])
def test_a_conversation_that_cannot_be_resumed(bench: "Bench", case: str) -> None:
    (bench.state / "corrupt.json").write_text('{"files": [')
    (bench.state.parent / "escaping.json").write_text('{"files": {}}')
    conversation = "../escaping" if case == "escaping" else case
    result = bench.run(DIGEST, bench.request(TASK, provider_id=conversation, resume=True))
    assert (result.ok, result.resume_refused) == (False, True)
    assert result.why == f"no conversation found with id {conversation}"
    assert result.usage == RunUsage(0, 0, cost_microusd=0)


@pytest.mark.parametrize("conversation", ["../out", "", "a/b", "x" * 65, "a\n"])
def test_an_id_cannot_leave_the_state_folder(bench: "Bench", conversation: str) -> None:
    result = bench.run(DIGEST, bench.request(TASK, provider_id=conversation))
    assert (result.ok, result.resume_refused) == (conversation == "", False)
    kept = [path.stem for path in bench.state.iterdir()]
    assert len(kept) == (1 if result.ok else 0), "an empty id is none: one is made"
    assert not (bench.state.parent / "out.json").exists()


def test_without_an_id_one_is_made(bench: "Bench") -> None:
    assert bench.run(DIGEST, bench.request(TASK, provider_id=None)).ok
    assert [len(path.stem) for path in bench.state.iterdir()] == [36]


def test_written_inside_the_workspace(bench: "Bench") -> None:
    result = bench.run(DIGEST, bench.request(notes("- [ ] x\n"), TASK, can_write=("reports/deep/recap.md",)))
    assert result.ok
    assert (bench.workspace / "reports/deep/recap.md").read_text() == result.text + "\n"
    assert [path.name for path in (bench.workspace / "reports/deep").iterdir()] == ["recap.md"]


@pytest.mark.parametrize("target", ["../recap.md", "/tmp/qd-digest-recap.md", "link/recap.md", "link-to-file"])
def test_refused_outside_the_workspace(bench: "Bench", target: str) -> None:
    outside = bench.workspace.parent / "outside"
    outside.mkdir()
    (bench.workspace / "link").symlink_to(outside)
    (bench.workspace / "link-to-file").symlink_to(outside / "recap.md")
    result = bench.run(DIGEST, bench.request(TASK, can_write=(target,)))
    assert (result.ok, result.resume_refused) == (False, False)
    assert "outside the workspace" in result.why
    assert list(outside.iterdir()) == []
    assert list(bench.state.iterdir()) == []
    assert not Path("/tmp/qd-digest-recap.md").exists()


@pytest.mark.parametrize("can_write", [(), ("a.md", "b.md"), ("*.md",), ("docs/**",), ("docs/",), ("docs",), ("",)])
def test_written_only_where_the_scope_names_one_file(bench: "Bench", can_write: tuple[str, ...]) -> None:
    (bench.workspace / "docs").mkdir()
    request = bench.request(TASK, can_write=can_write)
    assert not any(word.startswith("--write") for word in DIGEST.launch(request).argv)


def test_the_limit_holds(bench: "Bench") -> None:
    text = "".join(f"- [ ] item number {number}\n" for number in range(100))
    result = bench.run(DIGEST, bench.request(notes(text), TASK, output_limit_tokens=80))
    assert result.usage is not None
    assert 40 < result.usage.output_tokens <= 80
    assert result.text.endswith("lines left out)")


def test_hostile_text(bench: "Bench") -> None:
    text = "TODO \x1b]0;owned\x07\ud800 " + "y" * 300_000 + '\n{"error": "no"}\n'
    result = bench.run(DIGEST, bench.request(notes(text), ("task", "task", "\x1b[2J\ud800"), can_write=("out.md",)))
    assert result.ok
    assert "\x1b" not in result.text
    assert max(map(len, result.text.split("\n"))) < 200
    assert (bench.workspace / "out.md").read_text() == result.text + "\n"


def test_modules_of_the_workspace_are_not_imported(bench: "Bench") -> None:
    for name in ("json.py", "engine.py", "msgspec.py", "sitecustomize.py"):
        (bench.workspace / name).write_text("raise SystemExit('hijacked')\n")
    assert bench.run(DIGEST, bench.request(TASK)).ok


@pytest.mark.parametrize(("exit_code", "how"), [(None, "by a signal"), (1, "with code 1")])
def test_a_crash_is_a_failure_of_unknown_use(tmp_path: Path, exit_code: int | None, how: str) -> None:
    (tmp_path / "stdout.log").write_bytes(b"")
    (tmp_path / "stderr.log").write_bytes(b"Traceback\nBoom \xff\n")
    result = DIGEST.reader(tmp_path).result(exit_code)
    assert (result.ok, result.usage, result.resume_refused) == (False, None, False)
    assert how in result.why
    assert "Boom" in result.why


def test_it_is_registered() -> None:
    assert isinstance(adapter("digest"), DigestAdapter)
