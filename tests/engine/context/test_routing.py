"""Does the nearest level that says something win, for every value, and is it named?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.model import AdapterDefaults, Agent, Config, Job, Limits, Param, SkillSet, Template
from engine.config.routed import SHIPPED, TaskType
from engine.context.routing import route
from engine.contract.orders import RunRequest
from state.errors import NotFound, Refused

LEVELS = ("spawn", "template", "job", "agent", "task type", "adapter", "shipped")
SETS = {name: SkillSet(skills=(name,)) for name in LEVELS}
AT = {level: place for place, level in enumerate(LEVELS, start=1)}


def value_of(key, level):
    """Another value at each level."""
    number = AT[level]
    return {
        "inject": (f"{number}.md",),
        "tools": (f"tool{number}",),
        "skills": level,
        "timeout": f"{number}m",
        "run_usd": number / 100,
    }.get(key, number if key.endswith("tokens") else f"word{number}")


def world(key, levels):
    """A request and a configuration in which just these levels say the key."""
    said = {level: ({key: value_of(key, level)} if level in levels else {}) for level in LEVELS}
    config = Config(
        agent={"a": Agent(adapter="digest", **said["agent"])},
        job={"j": Job(every="1m", agent="a", **said["job"])},
        template={"t": Template(**said["template"])},
        task_type={"subagent": TaskType(**said["task type"])},
        adapter={"digest": AdapterDefaults(**said["adapter"])},
        skill_set=SETS,
    )
    spoken = said["spawn"]
    if "timeout" in spoken:
        spoken = {"timeout_s": 60.0 * AT["spawn"]}
    return RunRequest(workspace="/w", job="j", template="t", task_type="subagent", **spoken), config


def expected(key, level):
    value = value_of(key, level)
    return {"timeout": 60.0 * AT[level], "run_usd": AT[level] * 10_000}.get(key, value)


ROUTED = (
    "model",
    "inject",
    "tools",
    "skills",
    "timeout",
    "target_tokens",
    "injected_tokens",
    "run_tokens",
    "run_usd",
    "bootstrap_template",
    "prompt_template",
)
SAYS = {
    key: [
        level
        for level in LEVELS[:-1]
        if (level != "adapter" or key == "skills")
        and (level != "spawn" or key not in ("target_tokens", "bootstrap_template", "prompt_template"))
    ]
    for key in ROUTED
}
NAMES = {"timeout": "timeout_s", "run_usd": "run_microusd"}
EVERY = [(key, level) for key in ROUTED for level in SAYS[key]]


@pytest.mark.parametrize(("key", "level"), EVERY)
def test_a_level_beats_all_that_are_farther(key, level):
    levels = SAYS[key][SAYS[key].index(level) :]
    routed = route(*world(key, levels))
    name = NAMES.get(key, key)
    assert getattr(routed, name) == expected(key, level)
    assert routed.decided[name] == level


@given(st.sampled_from(ROUTED), st.sets(st.sampled_from(LEVELS[:-1])))
def test_the_nearest_of_any_levels_decides(key, levels):
    levels = [level for level in SAYS[key] if level in levels]
    routed = route(*world(key, levels))
    name = NAMES.get(key, key)
    assert routed.decided[name] == (levels[0] if levels else "shipped")
    if levels:
        assert getattr(routed, name) == expected(key, levels[0])


def test_every_value_that_a_level_can_decide_is_in_the_list():
    routed = route(RunRequest(workspace="/w"), Config())
    assert set(routed.decided) == set(routed.__struct_fields__) - {"decided", "template"}
    assert set(routed.decided.values()) == {"shipped"}


@pytest.mark.parametrize(
    ("adapter", "model", "expected"),
    [
        ("claude_code", "ollama/qwen2.5:3b", ("ollama", "qwen2.5:3b", "agent")),
        ("claude_code", "haiku", ("claude_code", "haiku", "shipped")),
        ("claude_code", "digest", ("digest", None, "agent")),
        ("openai", "openai/org/model", ("openai", "org/model", "agent")),
        ("openai", "org/model", ("openai", "org/model", "shipped")),
        ("command", "anthropic/claude-haiku", ("command", "anthropic/claude-haiku", "shipped")),
        ("acp", "codex/gpt", ("acp", "codex/gpt", "shipped")),
        ("codex", None, ("codex", None, "shipped")),
    ],
)
def test_a_model_may_name_its_adapter(adapter, model, expected):
    config = Config(agent={"digest": Agent(adapter=adapter, argv=("x",), model=model)})
    routed = route(RunRequest(workspace="/w"), config)
    assert (routed.adapter, routed.model, routed.decided["adapter"]) == expected


def test_a_task_type_picks_adapter_and_model():
    config = Config(agent={"a": Agent(adapter="codex")}, task_type={"research": TaskType(model="anthropic/m")})
    routed = route(RunRequest(workspace="/w", agent="a", task_type="research"), config)
    assert (routed.adapter, routed.model) == ("anthropic", "m")
    assert routed.decided["adapter"] == "task type"
    assert route(RunRequest(workspace="/w", agent="a"), config).adapter == "codex"


def test_what_is_shipped_of_programs_and_their_limits():
    chat, beat = (route(RunRequest(workspace="/w", task_type=kind), Config()) for kind in ("chat", "heartbeat"))
    assert (chat.keep, chat.permissions, chat.linger_s, chat.silence_s) == (None, "ask", 300, None)
    assert (beat.keep, beat.permissions, beat.linger_s, beat.sandbox, beat.read) == ((), "deny", 0, "prefer", "open")
    assert (chat.stop_turns, chat.stop_tokens, chat.stop_microusd, chat.fallback) == (None, None, None, ())


def test_an_empty_word_is_a_word_too():
    config = Config(agent={"a": Agent(adapter="digest", inject=("x.md",), tools=("read",))})
    routed = route(RunRequest(workspace="/w", agent="a", inject=(), tools=()), config)
    assert (routed.inject, routed.tools) == ((), ())
    assert (routed.decided["inject"], routed.decided["tools"]) == ("spawn", "spawn")


@pytest.mark.parametrize(
    ("request_", "agent", "level"),
    [
        ({}, "digest", "shipped"),
        ({"argv": ("true",)}, "command", "spawn"),
        ({"argv": ("true",), "agent": "mine"}, "mine", "spawn"),
        ({"job": "j"}, "mine", "job"),
        ({"job": "j", "argv": ("true",)}, "mine", "job"),
        ({"job": "j", "template": "t"}, "other", "template"),
        ({"job": "j", "template": "t", "agent": "command"}, "command", "spawn"),
        ({"job": "gone"}, "digest", "shipped"),
    ],
)
def test_who_does_it(request_, agent, level):
    config = Config(
        agent={"mine": Agent(adapter="digest"), "other": Agent(adapter="digest")},
        job={"j": Job(every="1m", agent="mine")},
        template={"t": Template(agent="other")},
    )
    routed = route(RunRequest(workspace="/w", **request_), config)
    assert (routed.agent, routed.decided["agent"]) == (agent, level)


@pytest.mark.parametrize(
    ("request_", "kind", "level"),
    [
        ({}, "chat", "shipped"),
        ({"trigger": "mention"}, "chat", "shipped"),
        ({"trigger": "timer"}, "cron", "shipped"),
        ({"trigger": "spawn"}, "subagent", "shipped"),
        ({"template": "plain"}, "subagent", "shipped"),
        ({"job": "plain"}, "cron", "shipped"),
        ({"job": "gone"}, "cron", "shipped"),
        ({"job": "plain", "trigger": "timer", "template": "plain"}, "cron", "shipped"),
        ({"agent": "a", "trigger": "timer"}, "decision", "agent"),
        ({"agent": "a", "job": "j"}, "heartbeat", "job"),
        ({"agent": "a", "job": "j", "template": "t"}, "research", "template"),
        ({"agent": "a", "job": "j", "template": "t", "task_type": "chat"}, "chat", "spawn"),
    ],
)
def test_what_kind_of_work_it_is(request_, kind, level):
    config = Config(
        agent={"a": Agent(adapter="digest", task_type="decision")},
        job={"j": Job(every="1m", task_type="heartbeat"), "plain": Job(every="1m")},
        template={"t": Template(task_type="research"), "plain": Template()},
    )
    routed = route(RunRequest(workspace="/w", **request_), config)
    assert (routed.task_type, routed.decided["task_type"]) == (kind, level)


@pytest.mark.parametrize(
    ("request_", "lane", "level"),
    [
        ({}, "main", "shipped"),
        ({"task_type": "heartbeat"}, "isolated", "shipped"),
        ({"task_type": "mine"}, "isolated", "task type"),
        ({"task_type": "cron"}, "main", "task type"),
        ({"task_type": "plain"}, "main", "shipped"),
        ({"task_type": "plain", "trigger": "timer"}, "isolated", "shipped"),
        ({"job": "j", "task_type": "heartbeat"}, "main", "job"),
        ({"job": "j", "lane": "isolated"}, "isolated", "spawn"),
        ({"trigger": "spawn", "lane": "main", "task_type": "chat"}, "isolated", "spawn"),
    ],
)
def test_in_which_lane(request_, lane, level):
    config = Config(
        job={"j": Job(every="1m", session="main")},
        task_type={
            "mine": TaskType(lane="isolated", timeout="1m"),
            "plain": TaskType(timeout="1m"),
            "cron": TaskType(lane="main"),
        },
    )
    routed = route(RunRequest(workspace="/w", **request_), config)
    assert (routed.lane, routed.decided["lane"]) == (lane, level)


@pytest.mark.parametrize("kind", SHIPPED)
def test_a_shipped_task_type_needs_no_entry(kind):
    routed = route(RunRequest(workspace="/w", task_type=kind), Config())
    shipped = SHIPPED[kind]
    assert (routed.lane, routed.target_tokens) == (shipped.lane, shipped.target_tokens)
    assert (routed.inject, routed.tools, routed.skills) == (shipped.inject or (), shipped.tools, "none")
    assert routed.timeout_s <= routed.timeout_max_s == 1800


def test_what_an_entry_of_a_shipped_type_leaves_out_stays_as_shipped():
    config = Config(task_type={"heartbeat": TaskType(target_tokens=40)})
    routed = route(RunRequest(workspace="/w", task_type="heartbeat"), config)
    assert (routed.target_tokens, routed.inject, routed.timeout_s) == (40, ("HEARTBEAT.md",), 120)
    assert (routed.decided["target_tokens"], routed.decided["inject"]) == ("task type", "shipped")


def test_a_shipped_type_allows_no_more_than_the_limits_and_an_own_word_may():
    limits = Limits(injected_tokens=300, timeout_max="1m", run_tokens=900, run_usd=0.5)
    request = RunRequest(workspace="/w", task_type="subagent")
    routed = route(request, Config(limits=limits))
    assert (routed.injected_tokens, routed.timeout_s, routed.timeout_max_s) == (300, 60, 60)
    assert (routed.run_tokens, routed.run_microusd) == (900, 500_000)
    own = TaskType(injected_tokens=600, timeout="5m", timeout_max="10m")
    routed = route(request, Config(limits=limits, task_type={"subagent": own}))
    assert (routed.injected_tokens, routed.timeout_s, routed.timeout_max_s) == (600, 300, 600)
    assert routed.decided["timeout_max_s"] == "task type"


def test_an_own_type_without_words_has_the_limits():
    config = Config(task_type={"mine": TaskType(timeout="2m")})
    routed = route(RunRequest(workspace="/w", task_type="mine"), config)
    assert (routed.injected_tokens, routed.timeout_s, routed.target_tokens) == (8_000, 120, None)


@pytest.mark.parametrize(
    ("request_", "task", "level"),
    [
        ({}, "", "shipped"),
        ({"task": "own"}, "own", "spawn"),
        ({"template": "t"}, "do it", "template"),
        ({"template": "t", "task": "own"}, "do it\nown", "spawn"),
        ({"job": "j"}, "nightly words", "job"),
        ({"job": "j", "task": "own"}, "own", "spawn"),
        ({"template": "t", "job": "j"}, "do it\nnightly words", "job"),
    ],
)
def test_the_words_of_the_template_come_first(request_, task, level):
    config = Config(
        job={"j": Job(every="1m", task="nightly words")},
        template={"t": Template(task="do it")},
    )
    routed = route(RunRequest(workspace="/w", **request_), config)
    assert (routed.task, routed.decided["task"]) == (task, level)


def test_a_template_is_filled_before_it_says_anything():
    template = Template(
        task="About {topic}: {unknown}",
        inject=("src/{topic}.md", "x.md"),
        can_read=("src/**", "{topic}"),
        can_write=("notes/{topic}.md",),
        params={"topic": Param(type="path")},
    )
    request = RunRequest(workspace="/w", template="t", params={"topic": "tides"})
    routed = route(request, Config(template={"t": template}))
    assert routed.task == "About tides: {unknown}"
    assert routed.inject == ("src/tides.md", "x.md")
    assert (routed.can_read, routed.can_write) == (("src/**", "tides"), ("notes/tides.md",))
    assert {routed.decided[key] for key in ("inject", "can_read", "can_write")} == {"template"}


def test_the_scope_of_the_spawn_takes_the_place_of_the_template_and_of_the_job():
    config = Config(
        template={"t": Template(can_read=("a",), can_write=("b",))}, job={"j": Job(every="1m", can_write=("c",))}
    )
    routed = route(RunRequest(workspace="/w", template="t", can_read=("x",), can_write=("y",)), config)
    assert (routed.can_read, routed.can_write) == (("x",), ("y",))
    routed = route(RunRequest(workspace="/w", job="j"), config)
    assert (routed.can_write, routed.decided["can_write"], routed.decided["can_read"]) == (("c",), "job", "shipped")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"agent": "digst"}, "there is no agent 'digst'; did you mean 'digest'?"),
        ({"template": "reserch"}, "there is no template 'reserch'; did you mean 'research'?"),
        ({"template": "zzz"}, "there is no template 'zzz'; known: research"),
        ({"task_type": "hartbeat"}, "there is no task type 'hartbeat'; did you mean 'heartbeat'?"),
        ({"skills": "reviw"}, "there is no skill set 'reviw'; did you mean 'review'?"),
        ({"skills": "zzz"}, "there is no skill set 'zzz'; known: review, none"),
    ],
)
def test_a_name_that_leads_nowhere(request_, said):
    config = Config(template={"research": Template()}, skill_set={"review": SkillSet(skills=())})
    with pytest.raises(NotFound) as raised:
        route(RunRequest(workspace="/w", **request_), config)
    assert raised.value.line == said


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"params": {"x": "1"}}, "parameters are given (x), but no template"),
        ({"run_usd": -1.0}, "cannot be limited to -1.0 dollars"),
        ({"run_usd": float("nan")}, "nan dollars"),
        ({"run_usd": 1e300}, "dollars"),
    ],
)
def test_what_does_not_fit_is_refused(request_, said):
    with pytest.raises(Refused) as raised:
        route(RunRequest(workspace="/w", **request_), Config())
    assert said in raised.value.line
    assert raised.value.fix


@pytest.mark.parametrize(("asked", "given"), [(9_000, 500), (500, 500), (100, 100), (None, 500)])
def test_what_a_run_spawns_may_only_be_given_less(asked, given):
    request = RunRequest(workspace="/w", trigger="spawn", parent_run_id=1, injected_tokens=asked)
    assert route(request, Config()).injected_tokens == given


def test_what_the_operator_spawns_may_be_given_more():
    assert route(RunRequest(workspace="/w", trigger="spawn", injected_tokens=9_000), Config()).injected_tokens == 9_000


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"model": "nosuch/x"}, "no adapter 'nosuch'"),
        ({"model": "openia/gpt", "agent": "o"}, "no adapter 'openia'"),
        ({"fallback": ("ollma/x",), "agent": "o"}, "no adapter 'ollma'"),
        ({"model": ""}, "empty"),
        ({"model": "claude_code/", "agent": "o"}, "names no model"),
        ({"model": "haiku"}, "no agent is named for the model haiku, and digest"),
    ],
)
def test_a_model_that_nobody_can_ask_is_refused_with_what_to_name(asked, why):
    config = Config(agent={"o": Agent(adapter="openai")})
    with pytest.raises(Refused, match=why) as raised:
        route(RunRequest(workspace="/w", **asked), config)
    assert raised.value.fix
