"""May it run? Every check by name, what it found, and what would make it pass."""

from typing import Literal

from msgspec import Struct

CheckName = Literal["agent", "scope", "inject", "cost", "budget", "conflict", "timeout", "concurrency"]


class Check(Struct, frozen=True):
    """One line of a verdict."""

    name: CheckName
    ok: bool
    why: str
    fix: str = ""
    """What would make it pass; empty when it does."""


class Estimate(Struct, frozen=True):
    """What a run is expected to use, in tokens, and where that number comes from."""

    prompt_tokens: int
    answer_tokens: int
    basis: str

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.answer_tokens


class Verdict(Struct, frozen=True):
    """All checks are always evaluated; one that fails refuses the run, and then nothing is spent."""

    ok: bool
    checks: tuple[Check, ...]
    estimate_tokens: int

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok)


class ReceiptPart(Struct, frozen=True):
    """A part of a prompt without its text."""

    kind: str
    source: str
    chars: int
    tokens: int
    sha256: str
    stable: bool


class ReceiptView(Struct, frozen=True):
    """What a prompt is made of, in the order in which it is sent."""

    parts: tuple[ReceiptPart, ...]
    tokens: int
    chars: int
