"""Which skills are here, and which were allowed as what?"""

import msgspec

from state import skills
from state.skills import Pin, Skill

TIDE = Skill("/a/SKILL.md", "tide", "When to sail", "user", 9, 99, "h", None)
PIN = Pin("tide", "/a/SKILL.md", "h", "the text\x00 as it was\r\n", 1000)


def test_the_inventory_is_replaced_as_a_whole(house):
    wind = msgspec.structs.replace(TIDE, path="/b/SKILL.md", name="wind", problem="no description")
    for found in ([wind, TIDE], [wind]):
        with house.database.transaction() as tx:
            skills.replace(tx, found)
        assert skills.found(house.connection) == sorted(found, key=lambda skill: skill.name)


def test_a_pin_is_kept_as_it_is(house):
    assert skills.pins(house.connection) == []
    with house.database.transaction() as tx:
        skills.pin(tx, PIN)
    assert skills.pins(house.connection) == [PIN]


def test_a_newer_pin_takes_the_place_of_the_one_of_this_name_and_path(house):
    newer = Pin("tide", "/a/SKILL.md", "h2", "new", 2000)
    elsewhere = msgspec.structs.replace(PIN, path="/b/SKILL.md")
    renamed = msgspec.structs.replace(PIN, name="wind")
    with house.database.transaction() as tx:
        for one in (PIN, elsewhere, renamed, newer):
            skills.pin(tx, one)
    assert skills.pins(house.connection) == [newer, elsewhere, renamed]


def test_the_inventory_and_the_pins_are_apart(house):
    with house.database.transaction() as tx:
        skills.pin(tx, PIN)
        skills.replace(tx, [])
    assert skills.pins(house.connection) == [PIN]
