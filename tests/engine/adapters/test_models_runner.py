"""Does the program that asks models do so, with real processes and a real server: every API, every way to fail?"""

import json
import os
import signal
import subprocess
import sys

import msgspec
import pytest

from engine.adapters.models import ANTHROPIC, OLLAMA, OPENAI
from engine.adapters.runner.job import Retries
from engine.contract.launch import RunUsage, Service
from engine.contract.progress import Noted, Said, Thought, ToolDone, ToolUse
from tests.modelserver import ModelServer, Reply, Script, ToolCall, Usage, refused_url

CANARY = "sk-canary-3f9c"
APIS = {"anthropic": (ANTHROPIC, None), "responses": (OPENAI, "responses"), "chat": (OPENAI, "chat")}
APIS["ollama"] = (OLLAMA, None)
QUICK = Retries(most=2, first_s=0.01, longest_s=0.02, total_s=5.0)
LONG = "[[big:4000]]"


@pytest.fixture
def server():
    with ModelServer() as running:
        yield running


class Talk:
    """Runs of one model in one workspace."""

    def __init__(self, bench, server, api, runners):
        self.bench, self.server, self.api, self.runners = bench, server, api, runners
        self.model, self.option = APIS[api]
        self.url = server.url
        self.result = None
        self.progress = []

    def job(self, task, **changes):
        service = Service(base_url=self.url, api=self.option, idle_s=changes.pop("idle_s", 20.0), key_known=True)
        parts = [("instructions", "AGENTS.md", "Be good."), *changes.pop("parts", ()), ("task", "task", task)]
        retries, rounds = changes.pop("retries", QUICK), changes.pop("rounds", 30)
        job = self.model.job(self.bench.request(*parts, model="m", service=service, **changes))
        last = msgspec.structs.replace(job.message[-1], stable=False)
        return msgspec.structs.replace(job, message=(*job.message[:-1], last), retries=retries, rounds=rounds)

    def start(self, job, *words, program=()):
        """Forked off, or started by itself, as this program or another one."""
        launch = self.model.launch(self.bench.request(("task", "task", "x"), model="m"))
        env = {"PATH": os.environ["PATH"], **launch.env, **({self.model.key_env: CANARY} if self.model.key_env else {})}
        out, err = (self.bench.folder / name for name in ("stdout.log", "stderr.log"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            how = {"stdout": stdout, "stderr": stderr, "env": env, "cwd": self.bench.workspace}
            if program:
                child = subprocess.Popen([sys.executable, "-P", *program, *words], stdin=subprocess.PIPE, **how)
            else:
                child = self.runners.start(*words, **how)
        child.stdin.write(msgspec.json.encode(job))
        child.stdin.close()
        return child

    def end(self, child):
        code = child.wait(60)
        reader = self.model.reader(self.bench.folder)
        self.progress = []
        while (told := reader.poll()) is not None:
            self.progress += told
        self.result = reader.result(code if code >= 0 else None)
        assert (self.bench.folder / "stderr.log").read_text() == ""
        return self.result

    def say(self, task, **changes):
        return self.end(self.start(self.job(task, **changes)))

    def told(self, kind):
        return [one for one in self.progress if isinstance(one, kind)]

    @property
    def call(self):
        return self.server.calls[-1]

    @property
    def billed(self):
        return as_run(self.server.billed())


def as_run(usage):
    return RunUsage(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)


def leaks(folder):
    return [path for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


@pytest.fixture(params=APIS)
def talk(bench, server, runners, request):
    """Through each API."""
    yield Talk(bench, server, request.param, runners)
    assert leaks(bench.folder.parent) == []


@pytest.fixture
def one(bench, server, runners):
    """For what does not depend on the API."""
    yield Talk(bench, server, "anthropic", runners)
    assert leaks(bench.folder.parent) == []


def test_it_answers_and_what_it_used_is_what_is_billed(talk):
    job = talk.job("[[think:hm]][[say:hello there]]")
    result = talk.end(talk.start(job, program=("-m", "engine.adapters.runner")))
    assert (result.ok, result.text, result.why, result.turns) == (True, "hello there", "", 1)
    assert result.usage == talk.billed
    assert not result.streamed
    assert "".join(one.text for one in talk.told(Thought)) == "hm"
    assert talk.call.auth_value == (CANARY if talk.model.key_env else None)
    assert talk.call.stream
    assert "Be good." in json.dumps(talk.call.body)


@pytest.mark.parametrize("reasoning", [0, 20])
def test_cached_and_reasoned_tokens_are_booked_once(talk, reasoning):
    result = talk.say(f"[[usage:in=100,out=50,read=1000,write=30,reasoning={reasoning}]]")
    if talk.api == "ollama":
        assert result.usage == RunUsage(1130, 50)
    elif talk.api == "chat":
        assert result.usage == RunUsage(130, 50, 1000)
    else:
        assert result.usage == RunUsage(100, 50, 1000, 30)


def test_a_conversation_goes_on_and_a_fork_leaves_it_alone(talk):
    talk.say("first [[say:one]]")
    talk.say("second [[say:two]]", resume=True)
    body = json.dumps(talk.call.body)
    assert all(word in body for word in ("first", "one", "second"))
    talk.say("third [[say:three]]", provider_id="forked", fork_of="conversation-1")
    assert all(word in json.dumps(talk.call.body) for word in ("first", "two", "third"))
    talk.say("fourth", resume=True)
    assert "third" not in json.dumps(talk.call.body)
    talk.say("fifth", resume=True, provider_id="forked")
    assert "three" in json.dumps(talk.call.body)
    assert "fourth" not in json.dumps(talk.call.body)


@pytest.mark.parametrize("changes", [{"resume": True}, {"fork_of": "gone"}, {"resume": True, "provider_id": "../x"}])
def test_a_conversation_that_is_not_there_is_refused_and_nothing_is_asked(one, changes):
    child = one.start(one.job("on", **changes))
    result = one.end(child)
    assert (result.ok, result.resume_refused, result.usage) == (False, True, RunUsage(0, 0, cost_microusd=0))
    assert child.returncode == 3
    assert one.server.calls == ()


def test_what_stays_the_same_is_read_from_the_cache(talk):
    if talk.api == "ollama":
        pytest.skip("it tells no cache")
    parts = [("file", "big.md", "words " * 1000)]
    first = talk.say("one [[say:x]]", parts=parts)
    again = talk.say("two [[say:y]]", parts=parts, provider_id="other")
    goes_on = talk.say("three [[say:z]]", resume=True)
    assert first.usage.cache_read_tokens == 0
    if talk.api != "chat":  # it has all that is said in one piece, and this server caches whole pieces
        assert again.usage.cache_read_tokens > 1400
    assert goes_on.usage.cache_read_tokens > 1400
    assert as_run(talk.server.billed()).cache_write_tokens == sum(
        one.cache_write_tokens for one in (first.usage, again.usage, goes_on.usage)
    )


def test_it_works_with_its_tools_within_its_scope(talk):
    (talk.bench.workspace / "src").mkdir()
    (talk.bench.workspace / "src" / "a.py").write_text("needle = 1\n")
    calls = [
        ("search", {"text": "needle"}),
        ("read", {"path": "src/a.py"}),
        ("write", {"path": "notes/n.md", "text": "found"}),
        ("edit", {"path": "notes/n.md", "old": "found", "new": "found it"}),
        ("write", {"path": "src/a.py", "text": "gone"}),
        ("read", {"path": "/etc/passwd"}),
        ("bash", {"command": "id"}),
    ]
    marks = "".join(f"[[tool:{name}:{json.dumps(given)}]]" for name, given in calls)
    tools = ("read", "list", "search", "write", "edit")
    result = talk.say(f"{marks}[[say:done]]", tools=tools, can_write=("notes/",))
    assert (result.ok, result.text, result.turns) == (True, "done", 8)
    assert [(one.tool, one.what) for one in talk.told(ToolUse)][:3] == [
        ("search", "needle"),
        ("read", "src/a.py"),
        ("write", "notes/n.md"),
    ]
    assert [one.ok for one in talk.told(ToolDone)] == [True, True, True, True, False, False, False]
    assert (talk.bench.workspace / "notes" / "n.md").read_text() == "found it"
    assert (talk.bench.workspace / "src" / "a.py").read_text() == "needle = 1\n"
    assert "root:" not in json.dumps(talk.call.body)
    assert result.usage == talk.billed
    assert talk.call.tool_names == tools
    talk.say("and then?", resume=True, tools=tools)
    assert "needle = 1" in json.dumps(talk.call.body)


def test_several_calls_in_one_answer_are_all_done(talk):
    (talk.bench.workspace / "a").write_text("A")
    both = Reply(calls=(ToolCall("read", {"path": "a"}), ToolCall("list")), thinking="hm")
    talk.server.script = Script(both, Reply(text="done"))
    assert talk.say("go", tools=("read", "list")).text == "done"
    assert [one.what for one in talk.told(ToolDone)] == ["A", "a"]
    assert talk.call.answered_calls == 2


def test_without_tools_none_are_offered_and_none_used(one):
    result = one.say("[[tool:read:{}]][[say:done]]")
    assert one.server.calls[0].tool_names == ()
    assert (result.text, [one.ok for one in one.told(ToolDone)]) == ("done", [False])


def test_tools_come_to_an_end(one):
    one.server.script = Script(*(Reply(calls=(ToolCall("list"),)) for _ in range(4)))
    result = one.say("go on for ever", tools=("list",), rounds=3)
    assert not result.ok
    assert "after 3 rounds" in result.why
    assert len(one.server.calls) == 4
    assert result.usage == one.billed


def test_an_answer_at_its_longest_is_one_with_a_warning_but_calls_in_it_are_none(talk):
    result = talk.say("[[say:cut sho]][[max_tokens]]")
    assert (result.ok, result.text) == (True, "cut sho")
    assert [one.kind for one in talk.told(Noted)] == ["warning"]
    talk.server.script = Script(Reply(calls=(ToolCall("list"),), max_tokens=True))
    assert not talk.say("go", tools=("list",)).ok
    assert talk.told(ToolUse) == []


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_what_may_pass_is_asked_again(one, status):
    result = one.say(f"[[error:{status}:2]][[say:there]]")
    assert (result.ok, result.text, result.turns) == (True, "there", 1)
    assert [one.kind for one in one.told(Noted)] == ["retry", "retry"]
    assert f"answered {status}" in one.told(Noted)[0].text
    assert result.usage == one.billed
    assert not result.streamed


@pytest.mark.parametrize(
    ("mark", "tries", "unavailable"),
    [
        ("[[error:429]][[retryafter:3600]]", 1, True),
        ("[[error:401]]", 1, True),
        ("[[error:404]]", 1, True),
        ("[[error:400]]", 1, False),
        ("[[error:413]]", 1, False),
    ],
)
def test_a_refusal_costs_nothing_and_says_whether_another_model_may_serve(one, mark, tries, unavailable):
    result = one.say(mark)
    assert (result.ok, result.unavailable, result.usage) == (False, unavailable, RunUsage(0, 0))
    assert "asked for by a mark" in result.why
    assert len(one.server.calls) == tries
    assert list(one.bench.state.iterdir()) == []


def test_a_server_that_stays_overloaded_is_unavailable(talk):
    result = talk.say("[[error:529]]")
    assert (result.ok, result.unavailable, result.usage) == (False, True, RunUsage(0, 0))
    assert "answered 529" in result.why
    assert len(talk.server.calls) == 3


def test_the_server_says_how_long_to_wait(talk):
    assert talk.say("[[error:429:1]][[retryafter:1]][[say:there]]").text == "there"
    (noted,) = talk.told(Noted)
    assert float(noted.text.rpartition(" in ")[2].removesuffix(" s")) >= 1.0


def test_a_server_that_is_not_there_is_unavailable(talk):
    talk.url = refused_url()
    result = talk.say("hello")
    assert (result.ok, result.unavailable, result.usage) == (False, True, RunUsage(0, 0))
    assert "cannot be reached" in result.why
    assert "asked 3 times" in result.why


def partly(talk, result, words):
    """Half of an answer came: it is told, billed as far as that is known, and not kept."""
    assert not result.ok
    assert result.text == words[: len(result.text)]
    assert 0 < len(result.text) < len(words)
    assert result.streamed
    sent = talk.billed.input_tokens if talk.api == "anthropic" else len(msgspec.json.encode(talk.call.body)) // 4
    assert result.usage == RunUsage(sent, len(result.text) // 4)
    assert list(talk.bench.state.iterdir()) == []
    assert len(talk.server.calls) == 1


WORDS = "0123456789" * 400


@pytest.mark.parametrize(
    ("mark", "why", "unavailable"),
    [
        ("[[hang:mid]]", "silent for 0.5 s", True),
        ("[[drop:mid]]", "the connection was cut", True),
        ("[[malformed]]", "cannot be read", False),
        ("[[sseerror:overloaded_error]]", "overloaded_error", True),
    ],
)
def test_an_answer_that_breaks_off_is_not_asked_for_again(talk, mark, why, unavailable):
    result = talk.say(f"{LONG}{mark}", idle_s=0.5)
    partly(talk, result, WORDS)
    assert why in result.why
    assert result.unavailable is unavailable


def test_a_server_that_says_nothing_at_all_is_unavailable_and_all_that_was_sent_is_counted(talk):
    talk.say(f"remember {'this ' * 1000}")
    result = talk.say("[[hang:headers]]", idle_s=0.5, resume=True)
    assert (result.ok, result.unavailable, result.streamed) == (False, True, True)
    assert result.usage == RunUsage(len(msgspec.json.encode(talk.call.body)) // 4, 0)
    assert result.usage.input_tokens > 1250
    assert len(talk.server.calls) == 2


@pytest.mark.parametrize(("most", "words"), [(1, "1 time"), (2, "2 times")])
def test_a_model_is_asked_as_often_as_it_may_be_and_what_was_said_is_kept(talk, most, words):
    talk.server.script = Script(*[Reply(text="let me look", calls=(ToolCall("list"),)) for _ in range(3)])
    result = talk.say("go", tools=("list",), stop_turns=most)
    assert (result.ok, result.turns, len(talk.server.calls)) == (False, most, most)
    assert result.why == f"it may ask its model {words}, and would ask it again"
    talk.server.script = Script(Reply(text="there"))
    assert talk.say("go on", resume=True, stop_turns=1).ok
    assert "let me look" in json.dumps(talk.call.body)


def test_a_connection_dropped_before_the_answer_is_tried_again_and_its_cost_estimated(talk):
    result = talk.say("a task of its own [[drop:headers:1]][[say:there]]")
    assert (result.text, result.streamed, len(talk.server.calls)) == ("there", True, 2)
    assert result.usage.input_tokens > talk.call.billed.input_tokens


def test_told_to_end_it_says_what_it_used_and_keeps_the_turn_to_go_on(talk):
    child = talk.start(talk.job(f"the task {LONG}[[hang:mid]]", idle_s=60.0))
    talk.server.wait(lambda records: any(one.outcome == "hung mid" for one in records))
    has_said(talk, 2000)
    child.send_signal(signal.SIGTERM)
    result = talk.end(child)
    assert (result.ok, result.why) == (False, "it was told to end")
    estimated = RunUsage(len(msgspec.json.encode(talk.call.body)) // 4, 500)
    assert result.usage == (talk.billed if talk.api == "anthropic" else estimated)
    assert len(result.text) == 2000
    talk.say("go on", resume=True)
    body = json.dumps(talk.call.body)
    assert "the task" in body
    assert "0123456789" in body


def has_said(talk, chars):
    """Wait until the program has put out so many."""
    reader, said = talk.model.reader(talk.bench.folder), 0
    while said < chars:
        said += sum(len(one.text) for one in reader.poll() or () if isinstance(one, Said))
        os.sched_yield()


def test_told_to_end_between_tools_it_keeps_what_was_done(one):
    one.server.script = Script(Reply(calls=(ToolCall("list"),)), Reply(hang="headers"))
    child = one.start(one.job("the task", tools=("list",), idle_s=60.0))
    one.server.wait(lambda records: any(one.outcome == "hung headers" for one in records))
    child.send_signal(signal.SIGTERM)
    result = one.end(child)
    assert result.usage.input_tokens > 0
    assert result.streamed
    one.say("go on", resume=True, tools=("list",))
    assert one.call.answered_calls == 0
    assert "(nothing)" in json.dumps(one.call.body)


LATE = """
import os, signal, sys
from engine.adapters.runner import __main__ as program, history
add = history.History.add
def late(self, *given, **named):
    add(self, *given, **named)
    os.kill(os.getpid(), signal.SIGTERM)
history.History.add = late
sys.exit(program.main([]))
"""


def test_told_to_end_just_when_the_turn_is_kept_it_has_done_it_once(one):
    result = one.end(one.start(one.job("hello [[say:done]]"), program=("-c", LATE)))
    assert (result.ok, result.text) == (True, "done")
    assert len((one.bench.state / "conversation-1.jsonl").read_text().splitlines()) == 1


def test_killed_it_leaves_the_conversation_as_it_was(talk):
    talk.say("first [[say:one]]")
    before = (talk.bench.state / "conversation-1.jsonl").read_bytes()
    child = talk.start(talk.job(f"second {LONG}[[hang:mid]]", resume=True, idle_s=60.0))
    talk.server.wait(lambda records: any(one.outcome == "hung mid" for one in records))
    has_said(talk, 2000)
    child.kill()
    result = talk.end(child)
    assert (result.ok, result.streamed) == (False, True)
    assert "ended by a signal" in result.why
    assert (talk.bench.state / "conversation-1.jsonl").read_bytes() == before
    assert talk.say("third [[say:three]]", resume=True).ok


def test_usage_of_a_long_answer_is_told_while_it_comes(one):
    child = one.start(one.job(f"{LONG}[[slow:300]]"))
    reader = one.model.reader(one.bench.folder)
    seen = set()
    while child.poll() is None:
        reader.poll()
        seen.add(reader.usage.output_tokens if reader.usage else None)
    result = one.end(child)
    assert len(seen - {None, result.usage.output_tokens}) >= 1


def test_the_provider_counts_where_it_can(talk):
    child = talk.start(talk.job("hello", tools=("read",)), "count")
    assert child.wait(60) == 0
    told = json.loads((talk.bench.folder / "stdout.log").read_text())
    assert talk.server.calls == ()
    if talk.api in ("anthropic", "responses"):
        assert talk.say("hello", tools=("read",)).usage.input_tokens == told["input_tokens"]
    else:
        assert told == {"input_tokens": None}


def test_a_server_that_cannot_count_says_why(one):
    one.url = refused_url()
    child = one.start(one.job("hello"), "count")
    assert child.wait(60) == 1
    assert json.loads((one.bench.folder / "stdout.log").read_text())["input_tokens"] is None


def test_a_senseless_job_is_refused(one):
    child = one.start({"api": "smoke signals"})
    assert one.end(child).ok is False
    assert child.returncode == 2


def test_usage_of_several_requests_is_kept_apart_as_reported(one):
    one.server.script = Script(
        Reply(calls=(ToolCall("list"),), usage=Usage(input_tokens=10, output_tokens=5)),
        Reply(text="x", usage=Usage(input_tokens=20, output_tokens=7)),
    )
    result = one.say("go", tools=("list",))
    assert result.usage == RunUsage(30, 12)
    raw = msgspec.json.decode(result.raw_usage)
    assert len(raw["requests"]) == 2
    assert raw["partial"] is False
