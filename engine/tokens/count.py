"""How many tokens is this text?

Exact for o200k_base up to `SAMPLE_ABOVE` characters, a marked estimate above. Special tokens in a text are text."""

from collections.abc import Iterator

from msgspec import Struct

from engine.tokens import vocabulary

# A run of a million spaces makes tiktoken's regex engine panic, with a BaseException; 64 Ki never does.
WINDOW = 64 * 1024
SAMPLE_ABOVE = 2_000_000
_SAMPLES = 16


class TokenCount(Struct, frozen=True):
    """A number of tokens, and whether it is extrapolated from a sample."""

    tokens: int
    estimated: bool


def count_tokens(text: str) -> TokenCount:
    """The tokens of a text of any length, in at most about two seconds. Raises StateError without a vocabulary."""
    if len(text) > SAMPLE_ABOVE:
        return TokenCount(_sampled(text), estimated=True)
    return TokenCount(sum(map(_count, windows(text))), estimated=False)


def encode_ordinary(text: str) -> list[int]:
    """The token numbers; `<|endoftext|>` in the text is ordinary characters."""
    encode = vocabulary.encoding().encode_ordinary
    return [token for window in windows(text) for token in encode(window)]


def windows(text: str) -> Iterator[str]:
    """The text in pieces of at most `WINDOW` characters, cut after a newline where the second half has one."""
    start = 0
    while start < len(text):
        end = start + WINDOW
        if end < len(text):
            newline = text.rfind("\n", start + WINDOW // 2, end)
            end = newline + 1 if newline >= 0 else end
        yield text[start:end]
        start = end


def _count(window: str) -> int:
    return len(vocabulary.encoding().encode_ordinary(window))


def _sampled(text: str) -> int:
    """Windows at equal distances from first to last, scaled up to the whole."""
    step = (len(text) - WINDOW) / (_SAMPLES - 1)
    starts = [round(step * number) for number in range(_SAMPLES)]
    counted = sum(_count(text[start : start + WINDOW]) for start in starts)
    return round(counted * len(text) / (_SAMPLES * WINDOW))
