"""Is everything that a client would inject on every turn counted, once, and nothing from outside?"""

import os
from pathlib import Path

import msgspec
import pytest

from engine.config.model import Agent, Config, Limits, SkillSet
from engine.context import stamp
from engine.context.assemble import assemble
from engine.context.everything import everything
from engine.context.fill import Words
from engine.context.inject import FILE_CAP_BYTES
from engine.context.routing import route
from engine.contract.launch import Prompt
from engine.contract.orders import RunRequest
from engine.tokens.count import count_tokens
from state.skills import Skill

WORDS = Words("ops", "chat", "", "/w", "operator", "2026-11-21", "09:41")
SKILLS = [Skill(f"/s/{name}/SKILL.md", name, "when", "user", 9, 99, name, None) for name in ("tide", "wind")]


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "w"
    (folder / "sub").mkdir(parents=True)
    (folder / ".claude").mkdir()
    for name in ("AGENTS.md", "SOUL.md", "notes.MD", "sub/deep.md", "code.py", ".claude/CLAUDE.md", "sub/in.txt"):
        (folder / name).write_text(f"this is {name}")
    (folder / "again.md").symlink_to("SOUL.md")
    (folder / "outside.md").symlink_to("/etc/passwd")
    (folder / "loop.md").symlink_to("loop.md")
    (folder / "gone.md").symlink_to("nothing")
    (folder / "folder.md").mkdir()
    (folder / "huge.md").write_bytes(b"x" * (FILE_CAP_BYTES + 1))
    os.mkfifo(folder / "pipe.md")
    return folder


def sources(pieces):
    return [piece.source for piece in pieces]


def test_every_instruction_file_once_and_every_skill(workspace):
    pieces = everything(workspace, Prompt(()), SKILLS)
    assert sources(pieces) == ["AGENTS.md", "SOUL.md", "notes.MD", ".claude/CLAUDE.md", "tide", "wind"]
    assert [piece.kind for piece in pieces] == ["file"] * 4 + ["skill"] * 2
    assert pieces[0].tokens == count_tokens("this is AGENTS.md").tokens
    assert (pieces[0].chars, pieces[4].tokens) == (17, 9)
    assert pieces[4].chars == len("- tide: when (/s/tide/SKILL.md)")


def test_a_workspace_that_is_not_there_has_nothing(tmp_path):
    assert everything(tmp_path / "gone", Prompt(()), []) == []


def made(workspace, config, **asked):
    return assemble(route(RunRequest(workspace=str(workspace), **asked), config), config, workspace, WORDS, SKILLS)


def test_what_the_prompt_has_is_counted_with_it(workspace):
    config = Config(
        agent={"ops": Agent(adapter="digest", instructions="AGENTS.md", inject=("sub/in.txt", "AGENTS.md"))},
        skill_set={"one": SkillSet(skills=("tide",))},
    )
    found = made(workspace, config, agent="ops", skills="one", tools=("read",), task="Do it")
    assert [part.kind for part in found.prompt.parts] == ["instructions", "skills", "tools", "file", "task"]
    assert [file.name for file in found.files] == ["sub/in.txt"]
    assert [skill.name for skill in found.skills] == ["tide"]
    assert sources(found.everything) == [
        "AGENTS.md",
        "tools",
        "sub/in.txt",
        "task",
        "SOUL.md",
        "notes.MD",
        ".claude/CLAUDE.md",
        "tide",
        "wind",
    ]
    assert found.everything_tokens == sum(piece.tokens for piece in found.everything) > found.prompt.tokens
    assert (found.inject_problems, found.skill_problems) == ((), ())


def test_what_is_wrong_is_said_and_the_rest_is_made(workspace):
    config = Config(
        agent={"ops": Agent(adapter="digest", instructions="MISSING.md", inject=("nothing.md", "SOUL.md", "code.py"))},
        skill_set={"two": SkillSet(skills=("tide", "gale"))},
        limits=Limits(file_tokens=4),
    )
    found = made(workspace, config, agent="ops", skills="two")
    assert [problem.name for problem in found.inject_problems] == ["MISSING.md", "nothing.md", "SOUL.md"]
    assert "for one file" in found.inject_problems[2].why
    assert [problem.why for problem in found.skill_problems] == ["skill gale is not found"]
    assert [part.source for part in found.prompt.parts] == ["tide", "code.py"]


def test_the_instructions_are_not_injected_twice_under_another_name(workspace):
    config = Config(agent={"ops": Agent(adapter="digest", instructions="SOUL.md", inject=("again.md", "./SOUL.md"))})
    found = made(workspace, config, agent="ops")
    assert [(part.kind, part.source) for part in found.prompt.parts] == [("instructions", "SOUL.md")]


def test_what_has_not_changed_is_counted_once(workspace, monkeypatch):
    monkeypatch.setattr(stamp, "_SETTLED_NS", -(10**12))
    first = everything(workspace, Prompt(()), [])

    def refused(path):
        raise AssertionError(f"{path} is read again")

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert everything(workspace, Prompt(()), []) == first


def test_what_may_not_be_read_is_left_out(workspace, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refused)
        assert everything(workspace, Prompt(()), []) == []
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refused)
        assert everything(workspace, Prompt(()), []) == []


def test_what_the_conversation_holds_counts_on_every_turn(workspace):
    config = Config(agent={"ops": Agent(adapter="digest", instructions="AGENTS.md")})
    prompt = made(workspace, config, agent="ops").prompt
    held = Prompt(tuple(msgspec.structs.replace(part, sent=False) for part in prompt.parts))
    assert held.tokens == 0
    assert everything(workspace, held, []) == everything(workspace, prompt, [])
