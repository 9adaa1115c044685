"""Resume or start afresh? Every reason, and which one wins."""

import itertools
from typing import get_args

import pytest
from msgspec.structs import replace

from engine.sessions.reuse import WORDS, ReuseReason, Standing, Wanted, decide_reuse

STANDING = Standing("c1", "first_run", "/w", "m", "j: task")
WANTED = Wanted("main", "/w", "m", "j: task", True)


@pytest.mark.parametrize(
    ("standing", "wanted", "reason"),
    [
        ({}, {}, "same_conversation"),
        ({"reason": "operator_reset"}, {}, "same_conversation"),
        ({"assignment": None}, {"assignment": None}, "same_conversation"),
        (None, {}, "first_run"),
        ({"provider_id": None}, {}, "first_run"),
        ({"provider_id": None, "reason": "operator_reset"}, {}, "operator_reset"),
        ({}, {"lane": "isolated"}, "isolated_lane"),
        (None, {"lane": "isolated"}, "isolated_lane"),
        ({}, {"adapter_resumes": False}, "cannot_resume"),
        ({}, {"workspace": "/v"}, "workspace_changed"),
        ({"workspace": None}, {}, "workspace_changed"),
        ({}, {"model": "n"}, "model_changed"),
        ({}, {"model": None}, "model_changed"),
        ({}, {"assignment": "other"}, "assignment_changed"),
        ({}, {"assignment": None}, "assignment_changed"),
        ({"assignment": None}, {}, "assignment_changed"),
    ],
)
def test_reasons(standing, wanted, reason):
    found = decide_reuse(None if standing is None else replace(STANDING, **standing), replace(WANTED, **wanted))
    assert found.reason == reason
    assert found.resume is (reason == "same_conversation")


ORDER = [
    ("isolated_lane", {}, {"lane": "isolated"}),
    ("operator_reset", {"provider_id": None, "reason": "operator_reset"}, {}),
    ("cannot_resume", {}, {"adapter_resumes": False}),
    ("workspace_changed", {}, {"workspace": "/v"}),
    ("model_changed", {}, {"model": "n"}),
    ("assignment_changed", {}, {"assignment": "other"}),
]


def test_the_first_of_several_reasons_is_the_one_that_is_said():
    for length in range(1, len(ORDER) + 1):
        for chosen in itertools.combinations(ORDER, length):
            standing = {key: value for _, changed, _ in chosen for key, value in changed.items()}
            wanted = {key: value for _, _, changed in chosen for key, value in changed.items()}
            found = decide_reuse(replace(STANDING, **standing), replace(WANTED, **wanted))
            assert (found.resume, found.reason) == (False, chosen[0][0])


def test_every_reason_has_its_words():
    assert list(WORDS) == list(get_args(ReuseReason))
    resuming = [reason for reason, words in WORDS.items() if words.startswith("resumed")]
    assert resuming == ["same_conversation", "goes_on"]
