"""What must not be kept is hidden, and nothing else."""

import re
import threading

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.contract.launch import AdapterResult
from engine.contract.outcome import EndRecord
from engine.runtime import redaction
from engine.runtime.redaction import redacted, redacted_end, redacted_result, remember


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(redaction, "_known", {})
    monkeypatch.setattr(redaction, "_ordered", ())


SHAPES = [
    "sk-ant-api03-abcdefgh_12345",
    "sk-proj-abcdefghij0123456789",
    "ghp_abcdefghijklmnopqrst",
    "github_pat_abcdefghijklmnopqrst",
    "xoxb-1234567890-abcdef",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA-1234567890abcdefghijklmnopqrst",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn",
]


@pytest.mark.parametrize("key", SHAPES)
def test_what_has_the_shape_of_a_key_is_hidden_wherever_it_stands(key):
    assert redacted(f"it said: {key}") == "it said: [secret]"
    assert redacted(f'{{"key":"{key}"') in ('{"key":"[secret]"', '{"key":"[secret]')
    assert key[:12] not in redacted(f"one\nTOKEN={key}")


@pytest.mark.parametrize("text", ["", "ask-me", "task-force-abcdefghijklmnop0123456789", "sk-", "the AKIA prefix", "é"])
def test_what_only_looks_a_little_like_one_stays(text):
    assert redacted(text) == text


def test_what_was_handed_out_is_hidden_the_longer_before_the_shorter():
    remember(["hunter2-long", "hunter2", "short", "two\nlines-of-it"])
    assert redacted("hunter2-long hunter2 short lines-of-it") == "[secret] [secret] short [secret]"


def test_only_the_latest_values_are_known(monkeypatch):
    monkeypatch.setattr(redaction, "MOST", 2)
    remember(["first-value"])
    remember(["second-value", "third-value"])
    assert redacted("first-value second-value third-value") == "first-value [secret] [secret]"


def test_values_of_runs_that_start_at_once_are_all_known():
    threads = [threading.Thread(target=remember, args=([f"value-{number:03}"],)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert redacted(" ".join(f"value-{number:03}" for number in range(50))) == " ".join(["[secret]"] * 50)


def test_results_and_ends_are_fit_to_be_kept():
    remember(["hunter2"])
    result = redacted_result(AdapterResult("it is hunter2", ok=False, why="hunter2!", raw_usage='{"a": "hunter2"}'))
    assert (result.text, result.why, result.raw_usage) == ("it is [secret]", "[secret]!", '{"a": "[secret]"}')
    assert redacted_result(AdapterResult("", ok=True)).raw_usage is None
    assert redacted_end(EndRecord("failed", 1, None, 0, 0, 0.0, why="no hunter2")).why == "no [secret]"


IN_ONE = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY-----|.*)"
    r"|(?<![A-Za-z0-9])(?:sk-ant-[A-Za-z0-9_-]{8,}|sk-[A-Za-z0-9_-]{20,}|(?:gh[opsur]_|github_pat_)[A-Za-z0-9_]{20,}"
    r"|xox[a-z]-[A-Za-z0-9-]{10,}|AKIA[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,})",
    re.DOTALL,
)
"""All shapes, tried at each place of the text: what is to come out, at many times the cost."""
PARTS = ["-----BEGIN ", "-----END ", "RSA PRIVATE KEY-----", "PRIVATE KEY-----", "sk-", "sk-ant-", "AKIA", "AIza"]
STUFF = ["xoxb-", "ghp_", "github_pat_", "a", "A1" * 15, "0123456789", "-", "_", " ", "\n", "-----", "END ", "é"]
FRAGMENTS = st.sampled_from([*SHAPES, *PARTS, *STUFF])


@example("-----BEGIN PRIVATE KEY-----END PRIVATE KEY----- more")
@given(st.lists(FRAGMENTS, max_size=30).map("".join))
def test_what_is_found_by_its_beginning_is_what_is_found_by_trying_each_place(text):
    assert redacted(text) == IN_ONE.sub("[secret]", text)


@given(st.sampled_from(SHAPES), st.integers(0, 80), st.sampled_from(["\n", " ", '"', "="]))
def test_a_key_in_a_long_text_is_hidden_wherever_it_lies(key, lines, before):
    text = "a line of output, through and through\n" * lines
    assert redacted(f"{text}{before}{key}") == f"{text}{before}[secret]"
