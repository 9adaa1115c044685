"""What may a run ask for? Children that are held as it is, and an end for these; whatever else it asks is refused."""

import msgspec
import pytest

from engine.admission.parent import Above, check_parent
from engine.config.load import parse
from engine.context.routing import route
from engine.contract.orders import RunRequest
from engine.contract.route import Route
from engine.runtime.own_orders import KINDS, check_descendant, check_kind, spawned
from state import runs
from state.errors import NotFound, Refused

NOBODY = dict.fromkeys(runs.Run.__struct_fields__)
CONFIG = """
[agent.a]
adapter = "command"
argv = ["true"]
[agent.free]
adapter = "command"
argv = ["true"]
sandbox = "off"
[agent.eager]
adapter = "claude_code"
permissions = "allow"
[agent.keyed]
adapter = "command"
argv = ["true"]
env = ["A_KEY"]
[agent.away]
adapter = "command"
argv = ["true"]
workspace = "{away}"
[template.plain]
agent = "a"
can_write = ["out/"]
[template.filled]
agent = "a"
can_write = ["{where}"]
[template.filled.params.where]
type = "path"
"""


class Asker:
    """A live run of agent `a`, and what it asks for."""

    def __init__(self, folder):
        self.workspace = folder / "work"
        for name in ("work/notes/deep", "work/out", "away"):
            (folder / name).mkdir(parents=True)
        text = CONFIG.replace("{away}", str(folder / "away"))
        self.config = parse(text, folder / "quarterdeck.toml")
        self.run = self.held()

    def held(self, agent="a", **said):
        routed = route(RunRequest(workspace=str(self.workspace), agent=agent, **said), self.config)
        known = {"id": 5, "agent": agent, "state": "running", "workspace": str(self.workspace)}
        return runs.Run(**NOBODY | known | {"route": msgspec.json.encode(routed).decode()})

    def ask(self, **said):
        request = RunRequest(**{"workspace": str(self.workspace), "agent": "a"} | said)
        return spawned(request, self.run, self.config)


@pytest.fixture
def asker(tmp_path):
    return Asker(tmp_path)


@pytest.mark.parametrize(
    "kind",
    ["attach", "fire", "reset", "undo", "decide", "allow_skill", "reload", "handover", "shutdown", "preview", ""],
)
def test_every_other_order_is_refused_in_clear_words(kind):
    with pytest.raises(Refused, match="a run may only ask for runs of its own"):
        check_kind(kind)


def test_a_run_may_order_a_run_its_end_and_a_look_at_the_logs():
    for kind in KINDS:
        check_kind(kind)
    assert set(KINDS) == {"run", "stop", "interrupt", "catch_up"}


def test_whatever_it_says_it_asks_for_a_child_of_its_own(asker):
    made = asker.ask(trigger="operator", parent_run_id=1, task="t")
    assert (made.trigger, made.parent_run_id, made.task, made.workspace) == ("spawn", 5, "t", str(asker.workspace))


@pytest.mark.parametrize(
    "said",
    [
        {"attach": True},
        {"fork": True},
        {"session_id": 1},
        {"resumes_run_id": 1},
        {"falls_back_from": 1},
        {"job": "nightly"},
        {"slot_due_ms": 1},
    ],
    ids=str,
)
def test_what_is_of_somebody_else_is_refused_by_name(asker, said):
    with pytest.raises(Refused, match=f"this one says {next(iter(said))}"):
        asker.ask(**said)


HELD = ("sandbox", "read", "permissions", "tools")
AS_SHIPPED = ("prefer", "open", "deny", None)


@pytest.mark.parametrize(
    ("own", "said", "becomes"),
    [
        ({}, {}, AS_SHIPPED),
        ({}, {"sandbox": "require"}, ("require", "open", "deny", None)),
        ({}, {"agent": "free", "sandbox": "prefer"}, AS_SHIPPED),
        ({}, {"read": "strict"}, ("prefer", "strict", "deny", None)),
        ({"sandbox": "off"}, {"sandbox": "off"}, ("off", "open", "deny", None)),
        ({"sandbox": "off"}, {}, AS_SHIPPED),
        ({"sandbox": "require"}, {}, ("require", "open", "deny", None)),
        ({"read": "strict"}, {}, ("prefer", "strict", "deny", None)),
        ({"permissions": "deny"}, {"task_type": "chat"}, AS_SHIPPED),
        ({"permissions": "ask"}, {"task_type": "chat"}, ("prefer", "open", "ask", None)),
        ({"permissions": "allow"}, {"permissions": "allow"}, ("prefer", "open", "allow", None)),
        ({"tools": ("Read", "Bash")}, {}, ("prefer", "open", "deny", ("Read", "Bash"))),
        ({"tools": ("Read", "Bash")}, {"tools": ("Read",)}, ("prefer", "open", "deny", ("Read",))),
        ({"tools": ("Shell", "Read")}, {"agent": "codex"}, ("prefer", "open", "deny", ("shell",))),
        ({"tools": ("Read", "Bash")}, {"agent": "digest"}, AS_SHIPPED),
        ({"tools": ()}, {}, ("prefer", "open", "deny", ())),
    ],
    ids=str,
)
def test_what_nobody_says_is_as_for_who_asks(asker, own, said, becomes):
    asker.run = asker.held(**own)
    made = route(asker.ask(**said), asker.config)
    assert tuple(getattr(made, name) for name in HELD) == becomes


LOOSER = [
    ({}, {"sandbox": "off"}, "sandbox = off (by spawn)"),
    ({}, {"agent": "free"}, "sandbox = off (by agent)"),
    ({"sandbox": "require"}, {"sandbox": "prefer"}, "sandbox = prefer"),
    ({"read": "strict"}, {"read": "open"}, "read = open"),
    ({"permissions": "ask"}, {"permissions": "allow"}, "permissions = allow (by spawn)"),
    ({"permissions": "ask"}, {"agent": "eager"}, "permissions = allow (by agent)"),
    ({"permissions": "deny"}, {"permissions": "ask"}, "permissions = ask"),
    ({"tools": ("Read", "Bash(git:*)")}, {"tools": ("Read", "Bash", "Edit")}, "the tools Bash, Edit (by spawn)"),
    ({"tools": ()}, {"tools": ("read",)}, "the tool read (by spawn)"),
]


@pytest.mark.parametrize(("own", "said", "words"), LOOSER, ids=str)
def test_what_somebody_says_and_is_looser_is_refused_by_a_check_that_names_it(asker, own, said, words):
    asker.run = asker.held(**own)
    child = asker.ask(**said)
    above = Above(5, msgspec.json.decode(asker.run.route, type=Route), route(child, asker.config))
    check = check_parent(above)
    assert (check.name, check.ok, check.waits_for) == ("parent", False, None)
    assert "looser than run 5" in check.why
    assert words in check.why
    assert check.fix


@pytest.mark.parametrize(
    ("own", "said", "fits"),
    [
        ((), (), True),
        ((), ("notes/",), False),
        (("notes/",), ("notes/",), True),
        (("notes/",), ("notes/deep/a.md", "notes/*.md"), True),
        (("notes/",), ("notes/new/file",), True),
        (("notes/",), (".",), False),
        (("notes/",), ("notes/", "out/"), False),
        (("notes/",), ("notes2",), False),
        (("notes/",), ("**/*.md",), False),
        (("notes/*.md",), ("notes/*.md",), True),
        (("notes/*.md",), ("notes/a.md",), False),
        (("notes/a.md",), ("notes/a.md",), True),
        (("notes/a.md",), ("notes/",), False),
        ((".",), ("out/", "**/*.md", "new"), True),
        (("{notes,out}/",), ("out/x",), True),
        (("[[]x].md",), ("[[]x].md",), True),
    ],
    ids=str,
)
def test_what_a_child_may_write_lies_in_what_its_parent_may(asker, own, said, fits):
    asker.run = asker.held(can_write=own)
    if fits:
        assert asker.ask(can_write=said).can_write == said
    else:
        with pytest.raises(Refused, match="run 5 itself may write"):
            asker.ask(can_write=said)


def test_a_scope_that_cannot_be_resolved_is_left_to_the_gate_and_allows_nothing(asker):
    (asker.workspace / "link").symlink_to(asker.workspace.parent / "away")
    asker.run = asker.held(can_write=("../away",))
    with pytest.raises(Refused, match="itself may write"):
        asker.ask(can_write=("out/",))
    asker.run = asker.held(can_write=("out/",))
    assert asker.ask(can_write=("link/x",)).can_write == ("link/x",)


@pytest.mark.parametrize("folder", ["/", "work/notes", "away", "~", "", "\0", "work/link"])
def test_a_child_works_where_its_parent_does(asker, folder):
    (asker.workspace / "link").symlink_to(asker.workspace.parent / "away")
    asker.run = asker.held(can_write=(".",))
    with pytest.raises(Refused, match="may ask for runs in that folder alone"):
        asker.ask(workspace=str(asker.workspace.parent / folder) if folder[:1] not in ("", "\0", "~") else folder)


def test_an_agent_with_a_workspace_works_there_and_writes_what_is_declared_alone(asker):
    asker.run = asker.held(can_write=(".",))
    assert asker.ask(agent="away", workspace="/").agent == "away"
    with pytest.raises(Refused, match="itself may write"):
        asker.ask(agent="away", can_write=(".",))


def test_a_template_gives_what_the_operator_has_written_in_it_alone(asker):
    assert asker.ask(agent=None, template="plain").template == "plain"
    for where, fits in (("out/", False), ("notes/x", True)):
        asker.run = asker.held(can_write=("notes/",))
        if fits:
            assert asker.ask(agent=None, template="filled", params={"where": where}).params == {"where": where}
        else:
            with pytest.raises(Refused, match="itself may write"):
                asker.ask(agent=None, template="filled", params={"where": where})


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ({"can_read": ("notes/",)}, True),
        ({"can_read": ("notes/deep",)}, True),
        ({"can_read": ("out/",)}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_strict_reader_asks_for_none_that_reads_more(asker, said, fits):
    asker.run = asker.held(read="strict", can_read=("notes/",))
    if fits:
        assert asker.ask(**said).read == "strict"
    else:
        with pytest.raises(Refused, match="run 5 may read notes/ alone"):
            asker.ask(**said)


def test_a_program_of_its_choice_gets_nothing_that_is_declared_for_another(asker):
    with pytest.raises(Refused, match="which are not for another program"):
        asker.ask(agent="keyed", argv=("env",))
    assert asker.ask(agent="keyed").agent == "keyed"
    assert asker.ask(agent="command", argv=("env",)).argv == ("env",)
    asker.run = asker.held("keyed")
    assert asker.ask(agent="keyed", argv=("env",)).argv == ("env",)


@pytest.mark.parametrize("changes", [{"stop_reason": "{}"}, {"state": "settled"}, {"route": None}], ids=str)
def test_a_run_that_is_being_ended_asks_for_nothing(asker, changes):
    asker.run = msgspec.structs.replace(asker.run, **changes)
    with pytest.raises(Refused, match="run 5"):
        asker.ask()


def test_a_name_that_leads_nowhere_is_said(asker):
    with pytest.raises(NotFound, match="nobody"):
        asker.ask(agent="nobody")


def test_a_run_ends_none_but_those_below_it(house):
    with house.database.transaction() as tx:
        child = {"agent": "a", "adapter": "command", "lane": "isolated", "trigger": "spawn", "task_type": "subagent"}
        child |= {"task": "", "workspace": "/w", "can_read": "[]", "can_write": "[]", "inject": "[]", "verdict": "{}"}
        child |= {"state": "running", "estimate_tokens": 0, "requested_ms": 1}
        for parent in (None, 1, 2, None, 6, 5):
            runs.add(tx, child | {"parent_run_id": parent})
        runs.add(tx, child | {"client_id": 1})  # a later turn of the program of run 1
    cases = ((2, 1, True), (3, 1, True), (3, 7, True), (1, 1, False), (4, 1, False), (1, 2, False), (5, 1, False))
    for run_id, of, fits in (*cases, (7, 1, False), (2, 4, False)):
        asker = runs.get(house.connection, of)
        if fits:
            check_descendant(house.connection, run_id, asker)
        else:
            with pytest.raises(Refused, match=f"run {run_id} is none that run {of} has asked for"):
                check_descendant(house.connection, run_id, asker)
    with pytest.raises(NotFound):
        check_descendant(house.connection, 99, runs.get(house.connection, 1))
