"""What does a scope cover, once it is resolved? Records that tell every path it leads to, and that can be stored."""

from typing import Literal

from msgspec import Struct

from engine.scopes.folding import Folding
from engine.scopes.patterns import GLOBSTAR
from engine.scopes.survey import Identity

Mode = Literal["w", "r"]
BELOW = (GLOBSTAR,)
"""The tail of a reach that is a folder and all in it."""


class Anchor(Struct, frozen=True, array_like=True):
    """An existing folder that paths are told from."""

    path: str
    ids: tuple[Identity, ...]
    """Device and inode of it and of its parents, from the root down."""
    folding: Folding


class Reach(Struct, frozen=True, array_like=True):
    """Paths that are covered: those that match these segments, from an anchor on."""

    anchor: int
    """Which of the scope's."""
    tail: tuple[str, ...]
    source: int
    """Which of the scope's patterns leads there."""


class Twin(Struct, frozen=True, array_like=True):
    """A file that is covered and has other names, covered or not."""

    device: int
    inode: int
    path: str
    source: int


class Scope(Struct, frozen=True):
    """The paths a run may touch, or why that cannot be said."""

    paths: tuple[str, ...]
    """For people: absolute, links resolved. A trailing part may be a glob."""
    problems: tuple[str, ...]
    workspace: str = ""
    """Links resolved."""
    patterns: tuple[str, ...] = ()
    """As they were given."""
    anchors: tuple[Anchor, ...] = ()
    reaches: tuple[Reach, ...] = ()
    twins: tuple[Twin, ...] = ()
    mode: Mode = "w"
    blind: bool = False
    """Some of what it covers could not be looked at, so that nothing can be ruled out."""
