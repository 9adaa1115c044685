"""What goes into a prompt, in which order, what is not sent again, and does its receipt say all but the text?"""

import hashlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.model import Config
from engine.context.compose import compose, decoded_parts, encoded_parts, not_again, receipt
from engine.context.fill import Words
from engine.context.inject import InjectedFile, counted
from engine.context.routing import route
from engine.contract.launch import OPENING
from engine.contract.orders import RunRequest
from engine.contract.verdict import CacheBreak, ReceiptPart
from engine.tokens.count import count_tokens
from state.skills import Skill

WORDS = Words("ops", "cron", "nightly", "/w", "timer", "2026-11-21", "09:41")
BARE = route(RunRequest(workspace="/w"), Config())


def file(name, text):
    known = counted(text)
    return InjectedFile(name, f"/w/{name}", text, known.tokens, known.sha256)


def skill(name, description="When to sail"):
    return Skill(f"/s/{name}/SKILL.md", name, description, "user", 9, 99, f"h{name}", None)


FILES = [file("b.md", "second file"), file("a.md", "first file")]
SKILLS = [skill("tide")]
OPENING_FILE = file("AGENTS.md", "Be brief.")


def made(words=WORDS, instructions=OPENING_FILE, skills=SKILLS, files=FILES, **said):
    return compose(msgspec.structs.replace(BARE, **said), words, instructions=instructions, skills=skills, files=files)


FULL = {"bootstrap_template": "I am {agent}.", "tools": ("read", "search"), "task": "Do it"}


def test_stable_parts_first_the_task_last():
    prompt = made(**FULL, prompt_template="In {workspace}.")
    assert [(part.kind, part.source, part.stable) for part in prompt.parts] == [
        ("instructions", "AGENTS.md", True),
        ("bootstrap", "bootstrap template", True),
        ("skills", "tide", True),
        ("tools", "tools", True),
        ("file", "b.md", True),
        ("file", "a.md", True),
        ("prompt", "prompt template", True),
        ("task", "task", False),
    ]
    assert [part.text for part in prompt.parts] == [
        "Be brief.",
        "I am ops.",
        "Skills you may read and use:\n- tide: When to sail (/s/tide/SKILL.md)",
        "Tools you may use: read, search",
        "second file",
        "first file",
        "In /w.",
        "Do it",
    ]


@pytest.mark.parametrize("name", ["trigger", "date", "time"])
def test_a_prompt_template_that_changes_stands_after_all_that_is_stable(name):
    prompt = made(**FULL, prompt_template=f"Now: {{{name}}}")
    stable = [part.stable for part in prompt.parts]
    assert stable == sorted(stable, reverse=True)
    assert [(part.kind, part.stable) for part in prompt.parts[-2:]] == [("prompt", False), ("task", False)]
    assert prompt.parts[-2].text == f"Now: {getattr(WORDS, name)}"


def test_stable_parts_are_byte_identical_from_run_to_run():
    template = "{agent} {job} {workspace} {task_type}"
    later = msgspec.structs.replace(WORDS, date="2026-11-22", time="10:00", trigger="operator")
    bootstrap = template + " {date} {time}"
    first = made(**FULL | {"bootstrap_template": bootstrap}, prompt_template=template)
    then = made(later, **FULL | {"bootstrap_template": bootstrap, "task": "Another"}, prompt_template=template)
    assert [part for part in first.parts if part.stable] == [part for part in then.parts if part.stable]
    assert first.parts[1].text == "ops nightly /w cron {date} {time}"


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({}, []),
        ({"task": "x"}, ["task"]),
        ({"files": FILES}, ["file", "file"]),
        ({"skills": SKILLS, "task": "x"}, ["skills", "task"]),
        ({"instructions": OPENING_FILE}, ["instructions"]),
        ({"tools": ()}, []),
        ({"tools": None}, []),
        ({"tools": ("read",)}, ["tools"]),
        ({"bootstrap_template": "", "prompt_template": ""}, []),
    ],
)
def test_what_is_not_given_is_not_sent(given, kinds):
    prompt = made(**({"instructions": None, "skills": [], "files": []} | given))
    assert [part.kind for part in prompt.parts] == kinds
    assert prompt.tokens == sum(part.tokens for part in prompt.parts)


@given(st.lists(st.sampled_from("abcdefgh"), unique=True))
def test_exactly_the_allowed_skills_are_named(names):
    prompt = made(instructions=None, files=(), skills=[skill(name) for name in names])
    text = "".join(part.text for part in prompt.parts)
    assert [line for line in text.split("\n") if line.startswith("- ")] == [
        f"- {name}: When to sail (/s/{name}/SKILL.md)" for name in names
    ]


def keys(prompt):
    return {(part.kind, part.source, part.sha256) for part in prompt.parts}


def test_what_opened_a_conversation_is_not_sent_again():
    prompt = made(**FULL, prompt_template="Always.")
    again = not_again(prompt, keys(prompt))
    assert [part.kind for part in again.sent] == ["file", "file", "prompt", "task"]
    assert [part.kind for part in again.parts if not part.sent] == list(OPENING)
    assert again.tokens == prompt.tokens - sum(part.tokens for part in prompt.parts if part.kind in OPENING)
    assert [msgspec.structs.replace(part, sent=True) for part in again.parts] == list(prompt.parts)


def test_what_has_changed_of_the_opening_is_sent_again():
    before = keys(made(**FULL))
    again = not_again(made(**FULL, instructions=file("AGENTS.md", "Be long.")), before)
    assert [part.kind for part in again.sent] == ["instructions", "file", "file", "task"]
    again = not_again(made(**FULL | {"tools": ("read",)}, skills=[skill("tide"), skill("wind")]), before)
    assert [part.kind for part in again.sent] == ["skills", "tools", "file", "file", "task"]
    assert not_again(made(**FULL), set()) == made(**FULL)


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(max_size=200), max_size=4), task=st.text(max_size=200))
def test_the_receipt_is_the_prompt_without_its_text(texts, task):
    prompt = made(
        instructions=None, skills=[], files=[file(f"{number}.md", text) for number, text in enumerate(texts)], task=task
    )
    view = receipt(prompt)
    assert (view.tokens, view.chars) == (prompt.tokens, prompt.chars)
    for part, kept, text in zip(prompt.parts, view.parts, [*texts, *([task] if task else [])], strict=True):
        assert part.text == text
        assert (kept.tokens, kept.chars) == (count_tokens(text).tokens, len(text))
        assert kept.sha256 == part.sha256 == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def test_the_receipt_says_what_was_not_sent_and_what_it_is_compared_with():
    prompt = made(**FULL)
    broken = CacheBreak("file b.md", "changed", 1, 2)
    again = not_again(prompt, keys(prompt))
    view = receipt(again, everything_tokens=4200, cache_break=broken, decided={"model": "spawn"})
    assert [part.sent for part in view.parts] == [False, False, False, False, True, True, True]
    assert (view.tokens, view.everything_tokens, view.cache_break) == (again.tokens, 4200, broken)
    assert view.decided == {"model": "spawn"}


def test_no_text_is_kept():
    secret = "the-text-of-a-file"
    view = receipt(made(instructions=None, skills=[], files=[file("a", secret)], task=secret))
    assert secret not in encoded_parts(view)
    assert {key for part in msgspec.json.decode(encoded_parts(view)) for key in part} == {
        "kind",
        "source",
        "chars",
        "tokens",
        "sha256",
        "stable",
        "sent",
    }


def test_a_receipt_from_before_parts_could_be_left_out_is_read_as_sent():
    view = receipt(made(**FULL))
    assert decoded_parts(encoded_parts(view)) == view.parts
    old = '[{"kind":"task","source":"task","chars":1,"tokens":1,"sha256":"x","stable":false}]'
    assert decoded_parts(old) == (ReceiptPart("task", "task", 1, 1, "x", False, sent=True),)
