"""What goes into a prompt, in which order, and does its receipt say all but the text?"""

import hashlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.context.compose import compose, encoded_parts, receipt
from engine.context.inject import InjectedFile
from engine.tokens.count import count_tokens
from state.skills import Skill

FILES = [InjectedFile("b.md", "/w/b.md", "second file"), InjectedFile("a.md", "/w/a.md", "first file")]
SKILLS = [Skill("/s/tide/SKILL.md", "tide", "When to sail", "user", 9, 99, "h", None)]
OPENING = InjectedFile("AGENTS.md", "/w/AGENTS.md", "Be brief.")


def test_stable_parts_first_the_task_last():
    prompt = compose(instructions=OPENING, skills=SKILLS, files=FILES, task="Do it")
    assert [(part.kind, part.source, part.stable) for part in prompt.parts] == [
        ("instructions", "AGENTS.md", True),
        ("skills", "tide", True),
        ("file", "b.md", True),
        ("file", "a.md", True),
        ("task", "task", False),
    ]
    assert "- tide: When to sail (/s/tide/SKILL.md)" in prompt.parts[1].text
    other = compose(instructions=OPENING, skills=SKILLS, files=FILES, task="Do something else")
    assert other.parts[:-1] == prompt.parts[:-1]


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({}, []),
        ({"task": "x"}, ["task"]),
        ({"files": FILES}, ["file", "file"]),
        ({"skills": SKILLS, "task": "x"}, ["skills", "task"]),
        ({"instructions": OPENING}, ["instructions"]),
    ],
)
def test_what_is_not_given_is_not_sent(given, kinds):
    prompt = compose(**({"instructions": None, "skills": [], "files": [], "task": ""} | given))
    assert [part.kind for part in prompt.parts] == kinds
    assert prompt.tokens == sum(part.tokens for part in prompt.parts)


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(max_size=200), max_size=4), task=st.text(max_size=200))
def test_the_receipt_is_the_prompt_without_its_text(texts, task):
    files = [InjectedFile(f"{number}.md", f"/w/{number}.md", text) for number, text in enumerate(texts)]
    prompt = compose(instructions=None, skills=[], files=files, task=task)
    view = receipt(prompt)
    assert (view.tokens, view.chars) == (prompt.tokens, prompt.chars)
    for part, kept, text in zip(prompt.parts, view.parts, [*texts, *([task] if task else [])], strict=True):
        assert part.text == text
        assert (kept.tokens, kept.chars) == (count_tokens(text).tokens, len(text))
        assert kept.sha256 == part.sha256 == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def test_no_text_is_kept():
    secret = "the-text-of-a-file"
    view = receipt(compose(instructions=None, skills=[], files=[InjectedFile("a", "/a", secret)], task=secret))
    assert secret not in encoded_parts(view)
    assert {key for part in msgspec.json.decode(encoded_parts(view)) for key in part} == {
        "kind",
        "source",
        "chars",
        "tokens",
        "sha256",
        "stable",
    }
