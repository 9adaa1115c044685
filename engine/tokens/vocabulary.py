"""How is the o200k_base encoding built, without ever asking the network?

The vocabulary lies beside this file, compressed and checked by its SHA-256. Counting is left to `count`."""

import base64
import hashlib
import lzma
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from state.errors import StateError

if TYPE_CHECKING:
    from tiktoken import Encoding

VOCABULARY = Path(__file__).with_name("o200k_base.tiktoken.xz")
SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
SPECIAL_TOKENS = {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}
# The pattern and the special tokens are those of `o200k_base` in tiktoken's openai_public.py.
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERN = "|".join(
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _CONTRACTION,
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _CONTRACTION,
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)

_lock = threading.Lock()
_built: "Encoding | None" = None


def encoding() -> "Encoding":
    """The encoding, built at the first call (about 0.3 s and 80 MB). Raises StateError when the file is damaged."""
    global _built
    with _lock:
        if _built is None:
            _built = build(VOCABULARY)
        return _built


def build(path: Path) -> "Encoding":
    """An encoding from a compressed vocabulary file."""
    ranks = _ranks(_checked(path))
    from tiktoken import Encoding  # Costs up to 50 ms: only a process that counts pays it.

    return Encoding("o200k_base", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=SPECIAL_TOKENS)


def _checked(path: Path) -> bytes:
    try:
        raw = lzma.decompress(path.read_bytes())
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise _damaged(path, str(error)) from error
    if hashlib.sha256(raw).hexdigest() != SHA256:
        raise _damaged(path, "its checksum is wrong")
    return raw


def _damaged(path: Path, why: str) -> StateError:
    return StateError(f"the token vocabulary {path} is damaged: {why}", "reinstall Quarterdeck")


def _ranks(raw: bytes) -> dict[bytes, int]:
    ranks = {}
    for line in raw.splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    return ranks
