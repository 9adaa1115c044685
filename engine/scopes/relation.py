"""From which folder can the paths of two anchors be told, so that they can be compared?"""

from msgspec import Struct

from engine.scopes.folding import Folding
from engine.scopes.reach import Anchor
from engine.scopes.survey import under

Names = tuple[str, ...]


class Relation(Struct, frozen=True):
    """A folder that two anchors have in common, and how the paths of each are told from there."""

    folder: str
    mine: tuple[Names, Folding]
    theirs: tuple[Names, Folding]


def relate(one: Anchor, other: Anchor) -> Relation | None:
    """The folder nearest to both that is the same in both, and their names from there. None when those part."""
    places = {identity: place for place, identity in enumerate(other.ids)}
    place = next(place for place in range(len(one.ids) - 1, -1, -1) if place == 0 or one.ids[place] in places)
    mine, theirs = _names(one, place), _names(other, places.get(one.ids[place], 0))
    alike = 0
    while alike < min(len(mine), len(theirs)):
        if mine[alike] != theirs[alike]:
            return None
        alike += 1  # the same name, and made anew since one of them was resolved
    folder = under(_path(one, place), mine[:alike])
    rule = one.folding | other.folding
    return Relation(folder, (mine[alike:], rule), (theirs[alike:], rule))


def _names(anchor: Anchor, place: int) -> tuple[str, ...]:
    return tuple(anchor.path.split("/")[place + 1 :]) if anchor.path != "/" else ()


def _path(anchor: Anchor, place: int) -> str:
    return "/".join(anchor.path.split("/")[: place + 1]) or "/"
