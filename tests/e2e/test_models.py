"""Models over HTTP through `qd`: real engine, keepers and programs against a real server, and every way it can fail."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.modelserver import ModelServer, refused_url

CANARY = "sk-canary-71d2"
APIS = ("anthropic", "responses", "chat", "ollama")
PRICES = {"input": 1.0, "output": 2.0, "cache_read": 0.1, "cache_write": 1.25}


@pytest.fixture
def server():
    with ModelServer(models=("m:latest",)) as running:
        yield running


@pytest.fixture
def models(desk, server):
    """A desk with an agent for each API, and one for each that cannot be reached."""
    desk.configure(config(server.url))
    desk.env |= {"ANTHROPIC_API_KEY": CANARY, "OPENAI_API_KEY": CANARY}
    return desk


def config(url):
    """`chat` has an engine of its own: which API is spoken is said of the adapter."""
    kinds = {"anthropic": "anthropic", "responses": "openai", "ollama": "ollama"}
    agents = [f'[agent.{name}]\nadapter = "{kind}"\nmodel = "m"\nbase_url = "{url}"\n' for name, kind in kinds.items()]
    gone = [
        f'[agent.{name}_gone]\nadapter = "{kind}"\nmodel = "m"\nbase_url = "{refused_url()}"\n'
        for name, kind in kinds.items()
    ]
    idle = "".join(f'[adapter.{kind}]\nidle = "1s"\n' for kind in kinds.values())
    prices = '[prices."m"]\n' + "".join(f"{name} = {price}\n" for name, price in PRICES.items())
    top = '[engine]\nmax_runs = 12\n[budget.day]\nwindow = "day"\ntokens = 10000000\n'
    return "".join([top, idle, prices, *agents, *gone])


def speak_chat(desk):
    desk.configure(desk.config_file.read_text().replace("[adapter.openai]\n", '[adapter.openai]\napi = "chat"\n'))


def agent_of(api):
    return "responses" if api == "chat" else api


def prepared(desk, api):
    if api == "chat":
        speak_chat(desk)
    return agent_of(api)


def leaks(desk):
    return [path for path in desk.home.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def programs(desk):
    """Processes of ours that ask a model, in this desk's workspace, and where one has the key in its arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            if b"engine.adapters.runner" in words and (folder / "cwd").readlink() == desk.workspace:
                found.append(int(folder.name))
                assert CANARY.encode() not in words
        except OSError:
            continue
    return found


def held(desk):
    return desk.json("budget", "list")["budgets"][0]["held"]


@pytest.mark.parametrize("api", APIS)
def test_a_conversation_is_begun_goes_on_and_is_copied(models, server, api):
    agent = prepared(models, api)
    models.write("notes.md", "the pump leaks\n" * 400)

    first = models.json("run", "--agent", agent, "--inject", "notes.md", "--task", "one [[say:first answer]]")
    second = models.json("run", "--agent", agent, "--task", "two [[say:second answer]]")
    fork = models.json("run", "--agent", agent, "--session", str(first["session"]), "--fork", "--task", "three")

    assert (first["outcome"], first["text"].strip()) == ("succeeded", "first answer")
    assert (second["session"], second["reuse_reason"]) == (first["session"], "same_conversation")
    assert fork["session"] != first["session"]
    bodies = [json.dumps(call.body) for call in server.calls]
    assert [word in bodies[1] for word in ("one", "first answer", "two")] == [True] * 3
    assert [word in bodies[2] for word in ("first answer", "second answer", "three")] == [True] * 3
    used, billed = [run["usage"] for run in (first, second, fork)], server.billed()
    for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"):
        assert sum(one[name] for one in used) == getattr(billed, name), name
    assert {one["basis"] for one in used} == {"per_run"}
    assert held(models) == 0
    assert leaks(models) == []


def test_tools_work_where_the_kernel_lets_one_folder_be_read(models, server):
    models.write("src/a.py", "needle = 1\n")
    models.write("other/b.py", "needle = 2\n")
    calls = [("search", {"text": "needle"}), ("read", {"path": "src/a.py"}), ("list", {"path": "src"})]
    marks = "".join(f"[[tool:{name}:{json.dumps(given)}]]" for name, given in calls)
    words = ("--read", "strict", "--can-read", "src/", "--tools", "read,list,search", "--task", f"{marks}[[say:done]]")
    assert models.json("spawn", "--agent", "anthropic", *words)["text"].strip() == "done"
    said = json.dumps(server.calls[-1].body)
    assert "src/a.py:1: needle = 1" in said
    assert "needle = 2" not in said
    assert '"is_error": true' not in said


def test_tools_work_within_the_scope_and_nothing_leads_out_of_it(models, server):
    models.write("src/a.py", "needle = 1\n")
    models.write("notes/n.md", "before")
    (models.workspace / "notes" / "out").symlink_to(models.home)
    (models.home / "secret").write_text("not yours")
    calls = [
        ("search", {"text": "needle"}),
        ("edit", {"path": "notes/n.md", "old": "before", "new": "after"}),
        ("write", {"path": "notes/other.md", "text": "x"}),
        ("read", {"path": "notes/out/secret"}),
        ("read", {"path": "../secret"}),
        ("read", {"path": "/proc/self/environ"}),
    ]
    marks = "".join(f"[[tool:{name}:{json.dumps(given)}]]" for name, given in calls)
    words = (
        "--tools",
        "read,search,edit,write",
        "--can-write",
        "notes/n.md",
        "--task",
        f"{marks}[[say:done]]",
    )

    run = models.json("spawn", "--agent", "anthropic", *words)

    assert (run["outcome"], run["text"].strip(), run["changes"]["violations"]) == ("succeeded", "done", [])
    assert (models.workspace / "notes" / "n.md").read_text() == "after"
    assert not (models.workspace / "notes" / "other.md").exists()
    said = json.dumps(server.calls[-1].body)
    assert "src/a.py:1: needle = 1" in said
    assert "not yours" not in said
    assert CANARY not in said
    assert run["estimate"]["overhead_tokens"] > 100
    assert leaks(models) == []


FAILING = {
    "[[error:429:1]][[retryafter:1]]": ("succeeded", "per_run"),
    "[[error:429]][[retryafter:900]]": ("failed", "per_run"),
    "[[hang:headers]]": ("failed", "streamed"),
    "[[big:4000]][[hang:mid]]": ("failed", "streamed"),
    "[[big:4000]][[drop:mid]]": ("failed", "streamed"),
    "[[big:4000]][[malformed]]": ("failed", "streamed"),
}
"""What is to go wrong: the outcome, and on what the usage is booked."""
GONE = "the server is not there"


@pytest.mark.parametrize("api", APIS)
def test_whatever_goes_wrong_the_run_ends_is_settled_and_leaves_nothing(models, server, wait_until, api):
    agent = prepared(models, api)
    asked = {}
    for marks in FAILING:
        words = ("spawn", "--agent", agent, "--detach", "--timeout", "60s", "--task", marks)
        asked[models.json(*words)["run"]] = marks
    if api != "ollama":  # of which it is known before
        words = ("spawn", "--agent", f"{agent}_gone", "--detach", "--timeout", "60s", "--task", "x")
        asked[models.json(*words)["run"]] = GONE
    killed = models.json("spawn", "--agent", agent, "--detach", "--timeout", "60s", "--task", "[[delay:60000]]")["run"]
    kill_program(models, killed, wait_until)

    ended = {number: end_of(models, number, wait_until) for number in asked}

    for number, run in ended.items():
        outcome, basis = FAILING.get(asked[number], ("failed", "per_run"))
        assert (run["outcome"], run["usage"]["basis"]) == (outcome, basis), (asked[number], run["why"])
        assert outcome == "succeeded" or run["why"]
        if (outcome, basis) == ("failed", "per_run"):
            assert run["usage"]["tokens"] == 0
        if basis == "streamed":
            assert run["usage"]["output_tokens"] >= (500 if "big" in asked[number] else 0)
            assert run["usage"]["input_tokens"] > 0
    dead = end_of(models, killed, wait_until)
    assert (dead["outcome"], dead["signal"]) == ("crashed", signal.SIGKILL)
    assert held(models) == 0
    assert programs(models) == []
    assert leaks(models) == []


def end_of(desk, number, wait_until):
    """The run once it is settled; until its keeper is done, nobody is asked."""
    wait_until((desk.state / "runs" / str(number) / "end.json").exists, "it ends")
    return wait_until(lambda: settled(desk, number), "it is settled")


def settled(desk, number):
    run = desk.json("run", "show", str(number))
    return run if run["state"] == "settled" else None


def kill_program(desk, number, wait_until):
    """Once it has asked."""
    place = desk.state / "runs" / str(number) / "keeper.json"

    def child():
        return place.exists() and json.loads(place.read_text())["child_pid"]

    pid = wait_until(child, "it runs")
    wait_until(lambda: pid in programs(desk), "it is the program")
    os.kill(pid, signal.SIGKILL)


def test_what_is_missing_is_said_before_anything_is_spent(models, server):
    def why(*words):
        run = models.json("spawn", *words, "--task", "x", code=1)
        return next(check for check in run["verdict"]["checks"] if check["name"] == "agent")

    assert "ollama serve" in why("--agent", "ollama_gone")["fix"]
    assert why("--agent", "ollama", "--model", "qwen")["fix"] == "ollama pull qwen"
    assert "which model" in why("--agent", "openai")["why"]
    assert "no tool 'Bash'" in why("--agent", "anthropic", "--tools", "Bash")["why"]
    assert server.calls == ()


def test_a_key_goes_to_its_own_provider_only_and_another_one_is_asked_where_it_is(models, server):
    own = f'[agent.mine]\nadapter = "anthropic"\nmodel = "m"\nbase_url = "{refused_url()}"\nkey = "env:MINE"\n'
    models.env |= {"MINE": "sk-canary-mine"}
    there = f'[adapter.openai]\nbase_url = "{server.url}"\n'
    models.configure(f'{there}{own}fallback = ["openai/m", "ollama/m"]\n')
    run = models.json("spawn", "--agent", "mine", "--timeout", "60s", "--task", "x")
    assert (run["outcome"], run["falls_back_from"]) == ("succeeded", run["run"] - 1)
    assert [call.auth_value for call in server.calls] == [CANARY]


def test_a_model_is_not_asked_more_often_than_it_may_be(models, server):
    words = ("--tools", "list", "--stop-turns", "1", "--task", "[[tool:list:{}]][[say:done]]")
    run = models.json("spawn", "--agent", "anthropic", *words, code=1)
    assert (run["outcome"], len(server.calls)) == ("failed", 1)
    assert run["why"] == "it may ask its model 1 time, and would ask it again"


def test_a_run_that_is_stopped_tells_what_it_used_and_can_go_on(models, server, wait_until):
    task = "the task [[big:4000]][[hang:mid]]"
    models.configure(models.config_file.read_text().replace('idle = "1s"', 'idle = "60s"'))
    run = models.json("run", "--agent", "anthropic", "--detach", "--task", task)["run"]
    server.wait(lambda records: any(one.outcome == "hung mid" for one in records))
    wait_until(lambda: models.run("run", "stop", str(run))[0] == 0, "its keeper takes the stop")
    stopped = end_of(models, run, wait_until)
    assert (stopped["outcome"], stopped["usage"]["basis"]) == ("cancelled", "streamed")
    assert stopped["usage"]["output_tokens"] >= 250
    on = models.json("run", "--agent", "anthropic", "--task", "and now?")
    assert (on["outcome"], on["reuse_reason"]) == ("succeeded", "same_conversation")
    assert "the task" in json.dumps(server.calls[-1].body)
    assert held(models) == 0
    assert programs(models) == []


def test_a_provider_counts_a_prompt_before_anything_is_spent(models, server):
    models.write("notes.md", "word " * 200)
    models.configure(config(server.url) + '[task_type.chat]\ninject = ["notes.md"]\n')
    for name in ("anthropic", "responses"):
        told = models.json("context", "--agent", name, "--task", "sum it up", "--count")
        asked = server.requests[-1]
        assert (asked.kind, asked.auth_value) == ("count", CANARY)
        assert told["provider_tokens"] == pytest.approx(asked.total_chars / 4, abs=3), "each part is rounded"
    assert models.json("context", "--agent", "ollama", "--task", "x", "--count")["provider_tokens"] is None
    assert not server.calls, "nothing was asked that costs anything"
    assert models.json("context", "--agent", "anthropic", "--task", "x")["provider_tokens"] is None
    code, _, err = models.run("context", "--agent", "anthropic_gone", "--task", "x", "--count")
    assert (code, "does not count" in err) == (1, True)
    code, _, err = models.run("context", "--agent", "digest", "--count")
    assert (code, "only models over HTTP" in err) == (1, True)
