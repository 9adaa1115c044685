"""Is exactly what was asked for written, and nothing before it?"""

import re
from itertools import pairwise
from types import SimpleNamespace

from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len, set_cell_size
from rich.console import Console as RichConsole
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tui.screens.confirm import Confirm
from tui.terminal.narrow import GAP, KNOWN_S, Painted, _cells, differing_part, differing_parts

WIDTH = 12
MOVED = re.compile(r"\x1b\[(\d+);(\d+)H([^\x1b]*)")
part = st.tuples(st.integers(0, WIDTH - 1), st.integers(1, WIDTH)).map(lambda p: (p[0], min(WIDTH, p[0] + p[1])))


def written(spans):
    """What leaves for two lines of two chops each: (row, column) to character."""
    lines = ["abcdefghijkl", "mnopqrstuvwx"]
    chops = [{0: Strip([Segment(line[:5])]), 5: Strip([Segment(line[5:])])} for line in lines]
    update = Painted().narrowed(ChopsUpdate(chops, spans, [[5, WIDTH], [5, WIDTH]]), None)
    text = update.render_segments(RichConsole(color_system=None))
    cells = [
        (int(row) - 1, int(column) - 1 + place, character)
        for row, column, said in MOVED.findall(text)
        for place, character in enumerate(said)
    ]
    assert "".join(said for *_, said in MOVED.findall(text)) == re.sub(r"\x1b\[[\d;]*H", "", text)
    return lines, cells


@given(part, part)
def test_each_cell_is_written_once_where_it_belongs(first, second):
    lines, cells = written([(0, *first), (1, *second)])
    wanted = [(0, x) for x in range(*first)] + [(1, x) for x in range(*second)]
    assert [(y, x) for y, x, _ in cells] == wanted
    assert all(lines[y][x] == character for y, x, character in cells)


def test_what_is_no_update_of_parts_stays_as_it_is():
    assert Painted().narrowed(None, None) is None
    assert Painted().narrowed("text", None) == "text"


def painting(painted, *lines, taken=None, dialog=False):
    """What a whole screen of these lines writes."""
    strips = [[Strip([Segment(line)])] for line in lines]
    update = painted.narrowed(LayoutUpdate(strips, Region(0, 0, WIDTH, len(lines))), taken, dialog)
    return [said for *_, said in MOVED.findall(update.render_segments(RichConsole(color_system=None)))]


def test_a_screen_that_is_painted_again_at_once_writes_only_what_differs(monkeypatch):
    painted, now = Painted(), [100.0]
    monkeypatch.setattr("tui.terminal.narrow.time", SimpleNamespace(monotonic=lambda: now[0]))
    assert painting(painted, "abc", "def") == ["abc", "def"]
    assert painting(painted, "abc", "dxf") == ["x"]
    assert painting(painted, "abc", "dxf", taken="another time") == ["abc", "dxf"]
    painted.forget()
    assert painting(painted, "abc", "dxf", taken="another time") == ["abc", "dxf"]
    now[0] += KNOWN_S
    assert painting(painted, "abc", "dxf", taken="another time") == ["abc", "dxf"]


def test_of_a_line_of_which_a_part_was_written_that_part_is_written_again():
    painted = Painted()
    assert painting(painted, "abcdefghijkl") == ["abcdefghijkl"]
    chops = ChopsUpdate([{0: Strip([Segment("xyz")])}], [(0, 0, 3)], [[WIDTH]])
    painted.narrowed(chops, None).render_segments(RichConsole(color_system=None))
    assert painting(painted, "abcdefghijkl") == ["abc"]


def test_under_a_dialog_what_was_ever_written_is_known_however_long_ago(monkeypatch):
    painted, now = Painted(), [100.0]
    monkeypatch.setattr("tui.terminal.narrow.time", SimpleNamespace(monotonic=lambda: now[0]))
    painting(painted, "abcdefghijkl", "mnopqrstuvwx")
    now[0] += 60 * KNOWN_S
    assert painting(painted, "abcdefghijkl", "mnopqrSTuvwx", dialog=True) == ["ST"]
    now[0] += 60 * KNOWN_S
    assert painting(painted, "abcdefghijkl", "mnopqrSTuvwx", dialog=True) == []
    now[0] += 60 * KNOWN_S
    assert painting(painted, "abcdefghijkl", "mnopqrSTuvwx") == ["abcdefghijkl", "mnopqrSTuvwx"]
    painted.forget()
    assert painting(painted, "abcdefghijkl", "mnopqrSTuvwx", dialog=True) == ["abcdefghijkl", "mnopqrSTuvwx"]


def test_a_line_with_a_hole_is_not_known_under_a_dialog_either():
    painted = Painted()
    chops = ChopsUpdate([{0: Strip([Segment("abcdefghijkl")])}], [(0, 6, 9)], [[WIDTH]])
    painted.narrowed(chops, None).render_segments(RichConsole(color_system=None))
    assert painting(painted, "abcdefghijkl", dialog=True) == ["abcdefghijkl"]


segments = st.lists(st.sampled_from(["a", "bc", "界", "dd"]).map(Segment), max_size=6).map(tuple)


@given(segments, segments)
def test_the_part_that_differs_makes_the_old_line_the_new_one(old, new):
    first, end = differing_part(old, new)
    before, after = Strip(old), Strip(new)
    if before.cell_length == after.cell_length:
        patched = before.crop(0, first).text + after.crop(first, end).text + before.crop(end).text
        assert patched == after.text
    else:
        assert (first, end) == (0, after.cell_length)


texts = st.lists(st.sampled_from(["a", "b", " ", "\u754c", "\u6f22", "e\u0301"]), max_size=60).map("".join)
styled = st.lists(
    st.tuples(texts, st.sampled_from([None, Style(bold=True)])).map(lambda said: Segment(*said)), max_size=6
).map(tuple)


@given(styled, styled)
@example((Segment("a" * 30),), (Segment("b" + "a" * 28 + "b"),))
@example((Segment("\u6f22" + "a" * 30),), (Segment("\u754c" + "a" * 30),))
@example((Segment("aaa"),), (Segment("ae\u0301a"),))
@example((Segment("a" + "\u754c" * 14 + "a"),), (Segment("\u754c" + "a" * 27 + "b"),))
def test_the_parts_that_differ_make_the_old_line_the_new_one_and_lie_apart(old, new):
    before, after = (Strip(line).adjust_cell_length(60) for line in (old, new))
    parts = differing_parts(tuple(before), tuple(after))
    if before.cell_length != after.cell_length:
        return
    patched, at = Strip([]), 0
    for first, end in parts:
        patched = Strip([*patched, *before.crop(at, first), *after.crop(first, end)])
        at = end
    patched = Strip([*patched, *before.crop(at)])
    assert patched.text == after.text
    assert _cells(patched) == _cells(after)
    assert all(first - end > GAP for (_, end), (first, _) in pairwise(parts))


def test_what_is_alike_between_two_that_differ_is_not_written_again():
    assert differing_parts((Segment("a" * 40),), (Segment("b" + "a" * 38 + "b"),)) == [(0, 1), (39, 40)]
    assert differing_parts((Segment("a" * 10),), (Segment("b" + "a" * 8 + "b"),)) == [(0, 10)]


def test_a_screen_that_is_covered_paints_nothing_on_the_one_above(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("m")
        assert pilot.app._background_screens == []
        await pilot.press("escape", "r")
        await pilot.until(lambda: isinstance(pilot.app.screen, Confirm), "a dialog")
        assert (pilot.app.overview in pilot.app._background_screens) == pilot.app.screen.is_modal

    drive(filled.home, scenario)


def test_a_dialog_is_painted_as_one_and_a_screen_is_not(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        painted, told = pilot.app._painted, []
        narrowed = painted.narrowed
        painted.narrowed = lambda *said: told.append(said[2]) or narrowed(*said)
        await pilot.press("?")
        await pilot.until(lambda: told and not any(told), "a screen of its own")
        await pilot.press("escape", "colon")
        await pilot.until(lambda: any(told), "a dialog")

    drive(filled.home, scenario)


words = st.text(st.sampled_from("abc 界"), min_size=1, max_size=WIDTH).map(lambda text: set_cell_size(text, WIDTH))
steps = st.lists(st.tuples(st.booleans(), words, part, st.booleans()), min_size=1, max_size=6)


@example([(True, "abcabcabcabc", (0, 1), False), (False, "abaabcabcabc", (0, WIDTH), True)])
@example([(False, "    abcd    ", (4, 8), True), (False, "abcd        ", (0, 4), True)])
@given(steps)
def test_whatever_is_painted_whole_or_in_part_the_line_is_right_in_the_end(steps):
    painted, seen = Painted(), [" "] * WIDTH
    wanted = [" "] * WIDTH
    for whole, line, (first, end), dialog in steps:
        strip = Strip(map(Segment, line))
        if whole:
            first, end = 0, WIDTH
        elif any("" in (cells[first], [*cells, " "][end]) for cells in (wanted, cells_of(line))):
            continue  # nobody asks for half a character
        if whole:
            update = LayoutUpdate([[strip]], Region(0, 0, WIDTH, 1))
        else:
            update = ChopsUpdate([{0: strip}], [(0, first, end)], [[WIDTH]])
        text = painted.narrowed(update, None, dialog).render_segments(RichConsole(color_system=None))
        wanted[first:end] = cells_of(strip.crop(first, end).text)
        for _, column, said in MOVED.findall(text):
            at = int(column) - 1
            seen[at : at + cell_len(said)] = cells_of(said)
        assert seen == wanted


def cells_of(text):
    """A character for each cell; the second half of a wide one is empty."""
    return [cell for character in text for cell in (character, *[""] * (cell_len(character) - 1))]


def test_a_line_that_was_written_in_parts_from_the_left_is_not_written_again():
    painted = Painted()
    chops = [{0: Strip([Segment("abcde")]), 5: Strip([Segment("fghijkl")])}]

    def write(first, end):
        update = painted.narrowed(ChopsUpdate(chops, [(0, first, end)], [[5, WIDTH]]), None)
        return [said for *_, said in MOVED.findall(update.render_segments(RichConsole(color_system=None)))]

    assert write(0, WIDTH) == ["abcde", "fghijkl"]
    assert write(3, WIDTH) == []
    assert painting(painted, "abcdefghijkX") == ["X"]
