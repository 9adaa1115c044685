"""What does a request cost, by the rule of a provider's prompt cache?

The rule. A prompt is a row of blocks: tools, system, messages (OpenAI's and Ollama's wires: as they come). A prefix is
known by the blocks in it, without their ids and cache markers (nor Claude Code's billing line), within a scope: the
model, for OpenAI also the `prompt_cache_key`. Each server begins with an empty cache and forgets nothing.

- `marked` (Anthropic): the cache ends at the last block with `cache_control`. The longest known prefix up to there is
  read, the rest up to there is written, what follows is plain input. Every marked prefix is known afterwards. A
  written stretch counts for 1h or 5m by the marker at its end.
- `automatic` (OpenAI): the longest known prefix is read, the rest is plain input, and nothing counts as written. Every
  prefix is known afterwards.
- `none` (Ollama): all is plain input.

A prefix below 1,024 tokens is never cached. Tokens are 4 characters, rounded up at the end of each stretch, so that
the stretches add up to the whole.
"""

import hashlib
from itertools import pairwise

import msgspec

from tests.modelserver.asked import Asked, Usage, tokens

LEAST_TOKENS = 1024


class Prefix(msgspec.Struct, frozen=True):
    """The prompt up to the end of one block."""

    digest: bytes
    tokens: int
    ttl: str | None


class PromptCache:
    """The prefixes that this server has seen. Its caller keeps requests apart."""

    def __init__(self) -> None:
        self._known: dict[str, set[bytes]] = {}

    def charge(self, asked: Asked) -> Usage:
        """The input side of this request's usage; its prefixes are known from now on."""
        known = self._known.setdefault(asked.cache_scope, set())
        before = prefixes(asked)
        ends = [prefix for prefix in before if cacheable(asked, prefix)]
        usage = _usage(asked, before, ends, known)
        known.update(prefix.digest for prefix in ends)
        return usage


def prefixes(asked: Asked) -> list[Prefix]:
    found, chars, digest = [], 0, hashlib.blake2b(digest_size=16)
    for block in asked.blocks:
        chars += block.chars
        digest.update(block.identity.encode("utf-8", "surrogatepass") + b"\0")
        found.append(Prefix(digest.digest(), tokens(chars), block.ttl))
    return found


def cacheable(asked: Asked, prefix: Prefix) -> bool:
    """Whether the cache may end here."""
    allowed = asked.caching == "automatic" or (asked.caching == "marked" and prefix.ttl is not None)
    return allowed and prefix.tokens >= LEAST_TOKENS


def _usage(asked: Asked, before: list[Prefix], ends: list[Prefix], known: set[bytes]) -> Usage:
    if not ends:
        return Usage(input_tokens=asked.tokens)
    last = ends[-1].tokens
    read = max((prefix.tokens for prefix in before if prefix.tokens <= last and prefix.digest in known), default=0)
    if asked.caching == "automatic":
        return Usage(input_tokens=asked.tokens - read, cache_read_tokens=read)
    stops = [(read, None), *((prefix.tokens, prefix.ttl) for prefix in ends if prefix.tokens > read)]
    hour = sum(end - start for (start, _), (end, ttl) in pairwise(stops) if ttl == "1h")
    return Usage(
        input_tokens=asked.tokens - last,
        cache_read_tokens=read,
        cache_write_tokens=last - read,
        cache_write_1h_tokens=hour,
    )
