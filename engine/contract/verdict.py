"""May it run? Every check by name, what it found, and what would make it pass."""

from typing import Literal, get_args

from msgspec import Struct

CheckName = Literal[
    "agent",
    "scope",
    "inject",
    "skills",
    "cost",
    "budget",
    "conflict",
    "timeout",
    "parent",
    "depth",
    "children",
    "concurrency",
]
CHECKS: tuple[CheckName, ...] = get_args(CheckName)
WaitsFor = Literal["approval", "budget", "claim", "slot"]
"""The operator's word, room in a budget, another run's claim, a free place."""


WAITING_WORDS: dict[str, str] = {
    "approval": "your word",
    "budget": "room in a budget",
    "claim": "another run's claim",
    "slot": "a free place",
}
"""How a screen says what a run waits for."""


class Check(Struct, frozen=True):
    """One line of a verdict."""

    name: CheckName
    ok: bool
    why: str
    fix: str = ""
    """What would make it pass; empty when it does."""
    warning: str = ""
    """What the operator should know although it passes."""
    waits_for: WaitsFor | None = None
    """What waiting for would make it pass; None when waiting does not help."""


class Estimate(Struct, frozen=True):
    """What a run is expected to use, and where these numbers come from. Tokens of all kinds; micro-dollars."""

    injected_tokens: int
    """The prompt, counted."""
    overhead_tokens: int
    """What the adapter sends beside it, once."""
    low_tokens: int
    likely_tokens: int
    high_tokens: int
    """What is reserved."""
    likely_microusd: int | None
    """None: no price is known."""
    high_microusd: int | None
    basis: Literal["history", "declared", "none"]
    """`history`: this agent's last runs of this task type. `declared`: there are not five of them yet. `none`: a
    program for which no model is named, and that has never told that it used any; nothing is reserved."""
    runs: int = 0
    """How many of them there are."""
    calibration: float | None = None
    """What the provider reports for each token of a prompt as we count it; None while that is not known."""
    error_median: float | None = None
    """Past estimates against what was used, as a share of what was used: half of them were closer than this."""
    error_p90: float | None = None
    """Nine of ten were closer than this."""


class Verdict(Struct, frozen=True):
    """All checks are always evaluated; one that fails refuses the run or lets it wait, and then nothing is spent."""

    ok: bool
    checks: tuple[Check, ...]
    estimate: Estimate

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok)

    @property
    def estimate_tokens(self) -> int:
        """What is reserved."""
        return self.estimate.high_tokens


class ReceiptPart(Struct, frozen=True):
    """A part of a prompt without its text."""

    kind: str
    source: str
    chars: int
    tokens: int
    sha256: str
    stable: bool
    sent: bool = True
    """False: the conversation holds it already, so it was not sent again."""


class CacheBreak(Struct, frozen=True):
    """Where a prompt stops being the one before it, as a provider's cache sees it."""

    part: str
    """`kind source` of the first part that differs."""
    why: Literal["changed", "added", "removed", "moved"]
    kept_tokens: int
    """Before it: what a cache can still hold."""
    lost_tokens: int
    """Of the stable parts from there on: what has to be read anew."""


class ReceiptView(Struct, frozen=True):
    """What a prompt is made of, in the order in which it is sent."""

    parts: tuple[ReceiptPart, ...]
    tokens: int
    """Of the parts that are sent."""
    chars: int
    everything_tokens: int | None = None
    """What it would have if everything that could be injected were."""
    cache_break: CacheBreak | None = None
    """Against the prompt before it in this session; None when all of that one's stable parts stand."""
    decided: dict[str, str] = {}
    """Which level decided each value of the route."""
