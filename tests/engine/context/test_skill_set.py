"""Does a set allow exactly what it names, and say what it cannot give?"""

from hypothesis import given
from hypothesis import strategies as st

from engine.config.model import Config
from engine.config.model import SkillSet as Declared
from engine.context.skill_set import SkillCost, allowed, names_of, set_cost, set_hash
from state.skills import Skill


def skill(name, sha256="h", problem=None, folder="s", meta=9, body=99):
    return Skill(f"/{folder}/{name}/SKILL.md", name, "x", "user", meta, body, sha256, problem)


FOUND = [skill("tide"), skill("wind"), skill("sail"), skill("tide", "other", folder="later")]


def test_the_skills_of_a_set_in_its_order_once_each():
    skills, problems = allowed(("sail", "tide", "sail"), FOUND)
    assert [one.path for one in skills] == ["/s/sail/SKILL.md", "/s/tide/SKILL.md"]
    assert problems == []
    assert allowed((), FOUND) == ([], [])


@given(st.lists(st.sampled_from(["tide", "wind", "sail"]), unique=True))
def test_k_of_n_allowed_are_k(names):
    skills, problems = allowed(names, FOUND)
    assert [one.name for one in skills] == names
    assert problems == []


def test_a_skill_that_no_folder_has_is_a_problem_and_not_silently_fewer():
    skills, problems = allowed(("tide", "winds", "zzz"), FOUND)
    assert [one.name for one in skills] == ["tide"]
    assert [(one.name, one.why, one.fix) for one in problems] == [
        ("winds", "skill winds is not found", "did you mean 'wind'?"),
        ("zzz", "skill zzz is not found", "known: tide, sail, wind"),
    ]


def test_a_skill_that_cannot_be_used_is_a_problem():
    skills, problems = allowed(("tide",), [skill("tide", problem="not a regular file")])
    assert skills == []
    assert problems[0].why == "skill tide cannot be used: not a regular file"
    assert problems[0].fix == "mend /s/tide/SKILL.md"


def test_the_names_of_a_set():
    config = Config(skill_set={"review": Declared(skills=("a", "b"))})
    assert names_of(config, "review") == ("a", "b")
    assert names_of(config, "none") == ()


def test_the_hash_is_of_names_and_contents_in_any_order():
    tide, wind = FOUND[:2]
    assert set_hash([tide, wind]) == set_hash([wind, tide])
    different = [[tide], [tide, skill("wind", "new")], [tide, skill("gale")], []]
    assert len({set_hash(skills) for skills in [*different, [tide, wind]]}) == 5
    assert set_hash([]) is None


def test_what_a_set_costs():
    assert set_cost([skill("a", meta=3, body=40), skill("b", meta=4, body=50)]) == SkillCost(2, 7, 90)
    assert set_cost([]) == SkillCost(0, 0, 0)
