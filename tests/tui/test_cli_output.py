"""Is what a run puts out read whole where it is short, by its ends where it is long, and once while it grows?"""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.load import parse
from engine.context.routing import route
from engine.contract.orders import RunRequest
from engine.contract.progress import Said
from engine.runtime.places import point_to
from state import runs
from tests.tui.test_cli_runs import encoded, run_of
from tui.cli import output
from tui.cli.output import Live, kept_output


@pytest.fixture
def folder(world):
    number = run_of(world, state="running", outcome=None)
    made = world.home.run_folder(number)
    made.mkdir(parents=True)
    return made


def run_in(world, folder):
    return runs.get(world.open().connection, int(folder.name))


def kept(world, folder):
    return kept_output(world.home, world.open().connection, run_in(world, folder))


def told(world, live, folder):
    return "".join(one.text for one in live.told(run_in(world, folder)) if isinstance(one, Said))


def test_nothing_is_kept_of_a_run_that_put_nothing_out(world, folder):
    assert kept(world, folder) is None


@pytest.mark.parametrize("size", [0, 1, output.MOST_BYTES, output.MOST_BYTES + 1, 3 * output.MOST_BYTES])
def test_a_long_output_keeps_its_ends_and_says_what_is_left_out(world, folder, size):
    text = b"a" * (size // 2) + b"b" * (size - size // 2)
    (folder / "stdout.log").write_bytes(text[: max(0, size - 1)] + b"$" * min(1, size))
    found = kept(world, folder)
    over = size - output.MOST_BYTES
    assert found.cut == (over > 0)
    assert (f"[... {over} bytes left out ...]" in found.text) == (over > 0)
    assert found.text.count("a") == min(size // 2, output.MOST_BYTES // 2)
    assert found.text.endswith("$") == (size > 0)
    if over <= 0:
        assert len(found.text) == size


def test_an_output_that_is_no_text_is_still_told(world, folder):
    (folder / "stdout.log").write_bytes(b"\xff\xfe ok")
    assert kept(world, folder).text == "\ufffd\ufffd ok"


@pytest.fixture
def turns(world):
    """Three turns of one program, the first of which started it."""
    _, generation = world.session("talk", agent="coder")
    config = parse('[agent.pump]\nadapter = "acp"\nargv = ["pump"]\n', Path("quarterdeck.toml"))
    talks = {"adapter": "acp", "route": encoded(route(RunRequest("/w", agent="pump"), config))}
    first = run_of(world, generation, **talks)
    numbers = [first, *(run_of(world, generation, client_id=first, **talks) for _ in range(2))]
    folders = [world.home.run_folder(number) for number in numbers]
    for place in folders:
        place.mkdir(parents=True)
    lines = [json.dumps({"type": "said", "text": word}) for word in ("one", "two", "three")]
    over = json.dumps({"type": "turn_over", "result": {"text": "", "ok": True}})
    parts = [f"{line}\n{over}\n".encode() for line in lines]
    (folders[0] / "stdout.log").write_bytes(b"".join(parts))
    point_to(folders[1], folders[0], len(parts[0]))
    point_to(folders[2], folders[0], len(parts[0] + parts[1]))
    return folders, parts


def test_each_turn_of_a_held_program_has_its_own_part_of_the_output(world, turns):
    folders, parts = turns
    assert [kept(world, folder).text for folder in folders] == [part.decode() for part in parts]
    assert [told(world, Live(world.home), folder) for folder in folders] == ["one", "two", "three"]


def test_what_was_started_afresh_is_told_from_its_beginning(world, folder):
    live = Live(world.home)
    (folder / "stdout.log").write_text("first try")
    assert told(world, live, folder) == "first try"
    new = folder / "new"
    new.write_text("second")
    new.replace(folder / "stdout.log")
    assert told(world, live, folder) == "second"


def test_before_it_is_started_nothing_is_read(world):
    number = run_of(world, state="reserved", outcome=None)
    run = runs.get(world.open().connection, number)
    assert list(Live(world.home).told(run)) == []


@given(st.lists(st.text(st.characters(codec="ascii"), min_size=1), max_size=6))
def test_what_comes_in_pieces_is_told_once_and_whole(pieces):
    from tempfile import TemporaryDirectory
    from types import SimpleNamespace

    from state.home import Home

    with TemporaryDirectory() as place:
        home = Home(config=Path(place), state=Path(place))
        home.run_folder(1).mkdir(parents=True)
        live, heard = Live(home), ""
        run = SimpleNamespace(id=1, state="running", adapter="command", client_id=None, route=None)
        for piece in pieces:
            with (home.run_folder(1) / "stdout.log").open("ab") as file:
                file.write(piece.encode())
            heard += "".join(one.text for one in live.told(run))
    assert heard == "".join(pieces)
