"""Is the first part that differs named, with what a cache keeps and loses? And what is said of prompt templates?"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.model import Config
from engine.context.cache_break import LARGE_TEMPLATE_TOKENS, cache_break, prompt_warnings
from engine.context.compose import compose, receipt_parts
from engine.context.fill import Words
from engine.context.routing import route
from engine.contract.orders import RunRequest
from engine.contract.verdict import CacheBreak, ReceiptPart

TOKENS = {"instructions": 100, "bootstrap": 50, "skills": 30, "tools": 5, "file": 200, "prompt": 20, "task": 10}


def part(text, sent=True):
    """`file:a=1` is the part with that source and content, `~` before it says that it changes from run to run."""
    stable, text = not text.startswith("~"), text.removeprefix("~")
    name, _, content = text.partition("=")
    kind, _, source = name.partition(":")
    return ReceiptPart(kind, source, 9, TOKENS[kind], f"{name}{content}", stable, sent)


def parts(*texts):
    return tuple(part(text) for text in texts)


BEFORE = ("instructions:A", "skills:x", "file:a", "file:b", "prompt:p", "~task:t")


@pytest.mark.parametrize(
    ("now", "broken"),
    [
        (BEFORE, None),
        (("instructions:A", "skills:x", "file:a", "file:b", "prompt:p", "~task:t=other"), None),
        (("instructions:A", "skills:x", "file:a", "file:b", "prompt:p"), None),
        (("instructions:A", "skills:x", "file:a", "file:b", "prompt:p", "file:c", "~task:t"), None),
        (
            ("instructions:A", "skills:x", "file:a", "file:b", "prompt:p=2", "~task:t"),
            CacheBreak("prompt p", "changed", 530, 20),
        ),
        (
            ("instructions:A", "skills:x", "file:a=2", "file:b", "prompt:p", "~task:t"),
            CacheBreak("file a", "changed", 130, 420),
        ),
        (
            ("instructions:B", "skills:x", "file:a", "file:b", "prompt:p", "~task:t"),
            CacheBreak("instructions B", "changed", 0, 550),
        ),
        (
            ("instructions:A", "skills:x, y", "file:a", "file:b", "prompt:p", "~task:t"),
            CacheBreak("skills x, y", "changed", 100, 450),
        ),
        (("instructions:A", "skills:x", "file:b", "prompt:p", "~task:t"), CacheBreak("file a", "removed", 130, 220)),
        (("instructions:A", "skills:x", "file:a", "file:b"), CacheBreak("prompt p", "removed", 530, 0)),
        ((), CacheBreak("instructions A", "removed", 0, 0)),
        (("~task:t",), CacheBreak("instructions A", "removed", 0, 0)),
        (
            ("instructions:A", "bootstrap:z", "skills:x", "file:a", "file:b", "prompt:p", "~task:t"),
            CacheBreak("bootstrap z", "added", 100, 500),
        ),
        (
            ("instructions:A", "skills:x", "file:c", "file:a", "file:b", "prompt:p"),
            CacheBreak("file c", "added", 130, 620),
        ),
        (("instructions:A", "skills:x", "file:b", "file:a", "prompt:p"), CacheBreak("file b", "moved", 130, 420)),
        (("instructions:A", "skills:x", "file:c", "file:b", "prompt:p"), CacheBreak("file a", "removed", 130, 420)),
    ],
)
def test_the_first_part_that_differs(now, broken):
    assert cache_break(parts(*now), parts(*BEFORE)) == broken


def test_without_a_prompt_before_it_nothing_breaks():
    assert cache_break(parts(*BEFORE), ()) is None
    assert cache_break(parts(*BEFORE), parts("~task:t")) is None


def test_what_changes_from_run_to_run_breaks_only_what_stands_behind_it():
    behind = parts("instructions:A", "file:a", "~prompt:p", "~task:t")
    assert cache_break(parts("instructions:A", "file:a", "~prompt:p=2", "~task:t=2"), behind) is None
    before = parts("instructions:A", "~prompt:p", "file:a", "~task:t")
    assert cache_break(parts("instructions:A", "~prompt:p=2", "file:a", "~task:t"), before) == CacheBreak(
        "prompt p", "changed", 100, 200
    )


def test_what_the_conversation_holds_is_kept():
    before = parts("instructions:A", "skills:x", "file:a", "~task:t")
    now = (part("instructions:A", sent=False), part("skills:x", sent=False), part("file:a=2"), part("~task:t"))
    assert cache_break(now, before) == CacheBreak("file a", "changed", 130, 200)
    now = (part("instructions:B"), part("skills:x", sent=False), part("file:a"), part("~task:t"))
    assert cache_break(now, before) == CacheBreak("instructions B", "changed", 30, 300)
    held = (part("instructions:A", sent=False), *before[1:])
    assert cache_break(before, held) is None


NAMES = st.sampled_from(["instructions:A", "skills:x", "file:a", "file:b", "file:c", "prompt:p"])


@given(st.lists(NAMES, unique=True), st.lists(NAMES, unique=True))
def test_only_a_prompt_that_begins_with_the_one_before_keeps_all_of_it(now, before):
    broken = cache_break(parts(*now), parts(*before))
    assert (broken is None) == (now[: len(before)] == before)
    if broken:
        assert broken.kept_tokens + broken.lost_tokens == sum(one.tokens for one in parts(*now))


WORDS = Words("ops", "chat", "", "/w", "operator", "2026-11-21", "09:41")
BARE = route(RunRequest(workspace="/w"), Config())


def warned(template, *earlier):
    routed = msgspec.structs.replace(BARE, prompt_template=template, task="x")
    return prompt_warnings(routed, compose(routed, WORDS), earlier)


def sent(template):
    return receipt_parts(compose(msgspec.structs.replace(BARE, prompt_template=template, task="x"), WORDS))


def test_a_small_template_that_stays_is_fine():
    assert warned(None) == ()
    assert warned("Be brief, {agent}.") == ()
    assert warned("Be brief.", *[sent("Be brief.")] * 3) == ()


@pytest.mark.parametrize(("count", "large"), [(LARGE_TEMPLATE_TOKENS, False), (LARGE_TEMPLATE_TOKENS + 1, True)])
def test_a_large_template_is_named_with_its_size(count, large):
    found = warned("word" + " word" * (count - 1))
    assert len(found) == large
    assert not large or f"has {count:,} tokens" in found[0]


@pytest.mark.parametrize(
    ("template", "named"), [("{date}", "{date}"), ("{trigger} at {time}", "{trigger}, {time}"), ("{dat}", None)]
)
def test_a_placeholder_that_changes_on_every_run_is_named(template, named):
    found = warned(template)
    assert len(found) == (named is not None)
    assert named is None or f"because it uses {named}:" in found[0]


@pytest.mark.parametrize(
    ("earlier", "said"),
    [
        (["b", "c", "d"], True),
        (["b", "a", "b"], True),
        (["b", "c"], False),
        (["a", "b", "c"], False),
        (["b", "b", "c"], False),
        (["b", "c", None], False),
        (["b", "c", "d", "d"], True),
    ],
)
def test_a_template_that_was_another_one_three_times_is_noticed(earlier, said):
    found = warned("a", *map(sent, earlier))
    assert [("each of the last 3 runs" in one) for one in found] == [True] * said


def test_a_large_template_that_changes_is_both():
    assert len(warned("word " * 200 + "{date}")) == 2
