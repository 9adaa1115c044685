"""How many lines has each pane of the overview? What it needs; what one has no rows for, the other one has."""

from collections.abc import Mapping

LEAST = 5
"""A title, a head and three rows."""
_BURN = 3
"""Lines that are no pane's, below the right ones."""
_AROUND = 3
"""Lines of the screen above and below all panes: the header, what happened, the keys."""
_UPPER = {"left": 3 / 5, "right": 1 / 2}
_UPPER_NARROW = {"left": 7 / 12, "right": 4 / 7}
_LEFT_NARROW = 0.56


def heights(needs: Mapping[str, int], height: int, notices: int, wide: bool) -> dict[str, int]:
    """By id, of the panes and of the two columns, in lines. `needs`: of each pane. `height`: of the whole screen."""
    room = height - _AROUND - notices
    if wide:  # a rule above the panes, and one above each lower one
        left, right, rule, upper = room - 1, room - 1 - _BURN, 1, _UPPER
    else:
        both = (needs["sessions"] + needs["jobs"], needs["budgets"] + needs["skills"])
        left, right = shared(room, *both, _LEFT_NARROW, 2 * LEAST)
        rule, upper = 0, _UPPER_NARROW
    sessions, jobs = shared(left, needs["sessions"], needs["jobs"] + rule, upper["left"])
    budgets, skills = shared(right, needs["budgets"], needs["skills"] + rule, upper["right"])
    columns = {"left": 1, "right": 1} if wide else {"left": left, "right": right}
    return {"sessions": sessions, "jobs": jobs, "budgets": budgets, "skills": skills} | columns


def shared(room: int, upper: int, lower: int, fair: float, least: int = LEAST) -> tuple[int, int]:
    """The upper one has what the lower one does not need. Where both need more than there is, `fair` is the upper one's
    part; neither gets less than `least`, if it needs so much and there is room for twice that."""
    part = round(room * fair)
    above, below = (least, least) if room >= 2 * least else (part, room - part)
    lines = min(lower, max(room - part, room - upper))
    lines = max(min(lower, below), min(lines, room - min(upper, above)))
    return room - lines, lines
