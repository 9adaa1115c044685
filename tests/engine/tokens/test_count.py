"""Are the counts those of the upstream encoding, for every kind of text, and safe for hostile ones?"""

import lzma
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from engine.tokens import vocabulary
from engine.tokens.count import SAMPLE_ABOVE, WINDOW, TokenCount, count_tokens, encode_ordinary, windows
from state.errors import StateError

ROOT = Path(__file__).parents[3]
TEXTS = {
    "empty": "",
    "prose": "The quarterdeck is where the officer of the watch stands; it's raining, they'll say. " * 40,
    "code": Path(__file__).read_text(),
    "cjk": "船長は後甲板に立って、風を読む。後甲板是船上的指揮之處。갑판 위에서 바람을 읽는다。" * 20,
    "emoji": "👩‍👩‍👧‍👦🏴‍☠️⚓️🇳🇴 ahoy 🫡" * 50,
    "special": "before <|endoftext|> between <|endofprompt|> after",
    "surrogate": "a lone \ud800 half",
    "numbers": "1234567 0x1f 3.14159\r\n\r\n\t  x",
}


@pytest.fixture(scope="module")
def upstream() -> tiktoken.Encoding:
    """tiktoken's own constructor of o200k_base, handed the shipped ranks in place of its download."""
    ranks = vocabulary._ranks(vocabulary._checked(vocabulary.VOCABULARY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", lambda _url, expected_hash: _ranks_for(expected_hash, ranks))
        return tiktoken.Encoding(**openai_public.o200k_base())


def _ranks_for(expected_hash: str, ranks: dict[bytes, int]) -> dict[bytes, int]:
    assert expected_hash == vocabulary.SHA256
    return ranks


@pytest.mark.parametrize("name", TEXTS)
def test_equal_to_upstream(name: str, upstream: tiktoken.Encoding) -> None:
    expected = upstream.encode_ordinary(TEXTS[name])
    assert encode_ordinary(TEXTS[name]) == expected
    assert count_tokens(TEXTS[name]) == TokenCount(len(expected), estimated=False)


def test_pattern_and_special_tokens_are_upstreams() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", lambda _url, expected_hash: {})
        upstream = openai_public.o200k_base()
    assert upstream["pat_str"] == vocabulary.PATTERN
    assert upstream["special_tokens"] == vocabulary.SPECIAL_TOKENS


def test_special_tokens_are_text() -> None:
    assert 199999 not in encode_ordinary("<|endoftext|>")
    assert count_tokens("<|endoftext|>").tokens > 1


def test_long_text_is_cut_without_changing_its_count(upstream: tiktoken.Encoding) -> None:
    text = "def cut(text: str) -> str:\n    return text  # on a newline\n" * 5_000
    assert len(text) > 4 * WINDOW
    assert count_tokens(text) == TokenCount(len(upstream.encode_ordinary(text)), estimated=False)


def test_two_million_spaces_do_not_panic() -> None:
    counted = count_tokens(" " * 2_000_000)
    assert not counted.estimated
    assert 0 < counted.tokens < 2_000_000


def test_above_the_limit_a_sample_is_marked(upstream: tiktoken.Encoding) -> None:
    text = "The wind is fair and the ship goes on.\n" * 60_000
    assert len(text) > SAMPLE_ABOVE
    counted = count_tokens(text)
    assert counted.estimated
    exact = len(upstream.encode_ordinary(text))
    assert abs(counted.tokens - exact) < exact * 0.01


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3 * WINDOW), st.lists(st.integers(0, 3 * WINDOW), max_size=20))
def test_windows_lose_nothing(length: int, newlines: list[int]) -> None:
    characters = ["x"] * length
    for at in newlines:
        if at < length:
            characters[at] = "\n"
    text = "".join(characters)
    pieces = list(windows(text))
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= WINDOW for piece in pieces)


def test_a_cut_prefers_a_newline() -> None:
    text = "x" * (WINDOW - 10) + "\n" + "y" * WINDOW
    assert next(windows(text)).endswith("x\n")


@pytest.mark.parametrize("damage", ["missing", "truncated", "other content", "not xz"])
def test_a_damaged_vocabulary_says_so(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "o200k_base.tiktoken.xz"
    content = {
        "truncated": vocabulary.VOCABULARY.read_bytes()[:1000],
        "other content": lzma.compress(b"IQ== 0\n"),
        "not xz": b"<html>404</html>",
    }
    if damage in content:
        path.write_bytes(content[damage])
    monkeypatch.setattr(vocabulary, "VOCABULARY", path)
    monkeypatch.setattr(vocabulary, "_built", None)
    with pytest.raises(StateError, match=r"vocabulary .* is damaged") as caught:
        count_tokens("x")
    assert "reinstall" in caught.value.line


def test_importing_does_not_load_tiktoken() -> None:
    program = "import sys, engine.tokens.count; sys.exit('tiktoken' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
