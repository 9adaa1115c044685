"""Does a real Codex do what is asked, through the gate and under a keeper, and is what it used booked to the token?

What the model server billed is compared with what the client was told (a call that was cut or hung is billed, and told
to nobody) and with what is in the books.
"""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from engine.adapters.codex import CodexAdapter
from engine.contract.launch import AdapterRequest, Part, Prompt, Service
from engine.contract.outcome import KeeperJob, SandboxRules
from engine.execution.follow import wait_for_end
from engine.execution.landlock import abi
from engine.execution.start import start_keeper
from tests.modelserver import clean_env, client, refused_url

MODEL = "gpt-6.1-sol"
CONFIG = """\
[limits]
grace = "2s"

[adapter.codex]
program = "{program}"

[agent.coder]
adapter = "codex"
model = "{model}"
env = ["MOCK_KEY"]

[budget.day]
window = "day"
tokens = 1000000
"""


@pytest.fixture
def coder(desk, server):
    """A desk whose agent `coder` is the real client, and whose model is the server."""
    prepare(desk, server)
    return desk


def prepare(desk, server):
    program = client("codex")
    desk.env |= clean_env(desk.home, program.parent, server, "codex")
    del desk.env["CODEX_HOME"]  # the usual one
    settings = desk.home / ".codex" / "config.toml"
    settings.write_text(settings.read_text().replace("timeout_ms = 3000", "timeout_ms = 500"))
    desk.configure(CONFIG.format(program=program, model=MODEL))


def run(desk, task, *words, code=0):
    limit = () if "--timeout" in words else ("--timeout", "60s")
    return desk.json("run", "--agent", "coder", *limit, "--task", task, *words, code=code)


def command(line):
    return f"[[tool:exec_command:{json.dumps({'cmd': line})}]]"


def booked(desk, run_id):
    """What is in the books for a run (`qd usage` reads the logs first): uncached, cache read, cache write, output."""
    return spent(desk.json("run", "show", str(run_id)))


def spent(shown):
    """The same of a run as it was shown."""
    usage = shown["usage"]
    return tuple(usage[part] for part in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"))


def billed(calls, *, reported=True):
    """What these calls cost, or what of it the client was told."""
    kept = [call.billed for call in calls if call.reported or not reported]
    return tuple(
        sum(getattr(one, part) for one in kept)
        for part in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    )


def held(desk):
    return desk.json("budget", "list")["budgets"][0]["held"]


def survivors(desk):
    """Processes of a run of this desk's, by their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            env = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if f"HOME={desk.home}".encode() in env and any(one.startswith(b"QUARTERDECK_RUN=") for one in env):
            found.append(int(place.parent.name))
    return found


def test_what_a_conversation_used_is_in_the_books_of_each_of_its_runs(coder, server):
    """New, a tool, a copy, and the first one once more."""
    runs, since = [], [0]

    def say(task, *words):
        made = run(coder, task, *words)
        runs.append(made["run"])
        since.append(len(server.calls))
        return made

    first = say("hello [[say:one]]")
    assert (first["outcome"], first["text"]) == ("succeeded", "one")
    second = say(f"{command('echo 1 > made.txt')} [[think:hm]] [[say:made it]]", "--can-write", "made.txt")
    assert (second["text"], second["reuse_reason"], second["session"]) == ("made it", "same_conversation", 1)
    assert (coder.workspace / "made.txt").read_text() == "1\n"
    copy = say("and now? [[say:three]]", "--session", "1", "--fork")
    assert copy["session"] != 1
    assert "hello [[say:one]]" in json.dumps(server.calls[-1].body), "it knows what was said in the other one"
    say("still there? [[say:four]]", "--session", "1")
    threads = [server.calls[at].session for at in since[:-1]]
    assert threads[0] == threads[1] == threads[3] != threads[2]

    everything = coder.json("usage")["totals"]
    assert since == [0, 1, 3, 4, 5]
    for run_id, start, end in zip(runs, since[:-1], since[1:], strict=True):
        assert (
            booked(coder, run_id) == billed(server.calls[start:end]) == billed(server.calls[start:end], reported=False)
        )
    assert everything["tokens"] == sum(billed(server.calls))
    assert coder.json("sessions")["total"] == 2, "what its log tells of are no conversations of its own"
    assert held(coder) == 0


CASES = {
    "429": ("[[error:429]]", "failed", "429"),
    "529": ("[[error:529]]", "failed", "529"),
    "overloaded": ("[[sseerror:server_is_overloaded]]", "failed", "at capacity"),
    "cut": ("[[drop:mid]]", "failed", "stream disconnected"),
    "silent within": ("[[hang:mid]]", "failed", "idle timeout"),
    "length": ("[[max_tokens]]", "failed", "max_output_tokens"),
    "malformed": ("[[malformed]]", "succeeded", ""),
    "cut once": ("[[drop:mid:1]]", "succeeded", ""),
}
"""What the server does, how the run ends, and why."""
FREE = ("429", "529")
"""No model was asked: nothing was used."""


def test_every_failure_ends_as_what_it_is(coder, server, wait_until):
    """All at once."""
    coder.configure(f"[engine]\nmax_runs = {len(CASES)}\n\n{coder.config_file.read_text()}")
    words = ("--task-type", "subagent", "--detach")
    runs = {name: run(coder, f"{name}: {mark}", *words)["run"] for name, (mark, _, _) in CASES.items()}
    wait_until(lambda: all(one["outcome"] for one in coder.json("run", "list")["runs"]), "they have all ended")
    assert survivors(coder) == []
    coder.json("usage")
    told = set()
    for name, (_, outcome, why) in CASES.items():
        ended = coder.json("run", "show", str(runs[name]))
        calls = [call for call in server.calls if call.prompt.startswith(f"{name}:")]
        told |= {name} if any(call.reported for call in calls) else set()
        assert (ended["outcome"], why in ended["why"]) == (outcome, True), (name, ended["why"])
        if name in told:
            assert spent(ended) == billed(calls), name
        elif name in FREE:
            assert spent(ended) == (0, 0, 0, 0), name
        else:
            assert ended["usage"]["confidence"] == "inferred", f"{name}: nobody was told what it cost"
            assert sum(spent(ended)) == ended["estimate"]["likely_tokens"], name
    assert told == {"length", "malformed", "cut once"}
    assert held(coder) == 0


def test_a_server_that_is_not_there_ends_it_by_itself(desk):
    prepare(desk, refused_url())
    ended = run(desk, "hello", code=1)
    assert (ended["outcome"], "Connection failed" in ended["why"]) == ("failed", True)
    assert booked(desk, ended["run"]) == (0, 0, 0, 0)
    assert held(desk) == 0
    assert survivors(desk) == []


def test_what_was_used_until_it_was_ended_is_kept(coder, server, wait_until):
    """Stopped within a tool, its program killed there, and out of time before an answer: nobody is left behind."""

    def begin():
        since = len(server.calls)
        begun = run(coder, f"{command('sleep 300')} [[say:never]]", "--detach")["run"]
        wait_until(lambda: any(call.reported for call in server.calls[since:]), "it has its first answer")
        wait_until(lambda: [pid for pid in survivors(coder) if words_of(pid) == ["sleep", "300"]], "the tool runs")
        return begun, server.calls[since:]

    stopped, first = begin()
    coder.json("run", "stop", str(stopped))
    assert wait_until(lambda: done(coder, stopped), "it ends")["outcome"] == "cancelled"
    assert survivors(coder) == []

    killed, second = begin()
    keeper = json.loads((coder.state / "runs" / str(killed) / "keeper.json").read_text())
    os.kill(keeper["child_pid"], signal.SIGKILL)  # a wrapper: the program itself would go on
    assert wait_until(lambda: done(coder, killed), "it ends")["outcome"] == "crashed"
    assert survivors(coder) == []

    late = run(coder, "x [[hang:headers]]", "--timeout", "2s", code=1)
    assert (late["outcome"], late["usage"]["confidence"]) == ("timed_out", "inferred")
    coder.json("usage")
    assert booked(coder, stopped) == billed(first) != (0, 0, 0, 0)
    assert booked(coder, killed) == billed(second) != (0, 0, 0, 0)
    assert held(coder) == 0


def words_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


def done(desk, run_id):
    shown = desk.json("run", "show", str(run_id))
    return shown if shown["outcome"] else None


def test_a_conversation_goes_on_with_less_of_its_own_and_back(coder, server):
    """From the operator's folder to one of ours that keeps nothing, and back."""
    (coder.home / ".codex" / "AGENTS.md").write_text("The word is OPERATOR.")
    coder.write("AGENTS.md", "The word is WORKSPACE.")
    first = run(coder, "one [[say:1]]")
    lean = run(coder, "two [[say:2]]", "--keep", "")
    back = run(coder, "three [[say:3]]")
    assert [one["session"] for one in (first, lean, back)] == [first["session"]] * 3
    assert len({call.session for call in server.calls}) == 1
    alone = run(coder, "alone [[say:4]]", "--keep", "", "--tools", "", "--task-type", "subagent")
    sent = json.dumps(server.calls[-1].body)
    assert server.calls[-1].total_chars < server.calls[0].total_chars / 4
    assert "OPERATOR" not in sent
    assert "WORKSPACE" not in sent
    assert "OPERATOR" in json.dumps(server.calls[0].body)
    coder.json("usage")
    for one, call in zip((first, lean, back, alone), server.calls, strict=True):
        assert booked(coder, one["run"]) == billed([call])


def test_what_opens_a_conversation_is_sent_once(coder, server):
    coder.write("ROLE.md", "You are the KEEPER-OF-PUMPS.")
    coder.configure(coder.config_file.read_text().replace("[budget", 'instructions = "ROLE.md"\nkeep = []\n\n[budget'))
    run(coder, "one [[say:1]]")
    run(coder, "two [[say:2]]")
    assert [json.dumps(call.body).count("KEEPER-OF-PUMPS") for call in server.calls] == [1, 1]
    coder.write("ROLE.md", "You are the KEEPER-OF-DOORS.")
    run(coder, "three [[say:3]]")
    sent = json.dumps(server.calls[-1].body)
    assert (sent.count("KEEPER-OF-DOORS"), sent.count("KEEPER-OF-PUMPS")) == (1, 1)


class Contained(AdapterRequest, frozen=True):
    """Of a run that the kernel holds to its scope."""

    contained: bool = True


@pytest.mark.skipif(abi() == 0, reason="this kernel has no Landlock")
@pytest.mark.parametrize("keep", [None, ()], ids=["its own folder", "one of ours"])
def test_held_by_the_kernel_it_needs_no_more_than_it_says(coder, server, tmp_path, keep):
    """It writes what it keeps and what its scope names, and nothing else, whatever its commands try."""
    (coder.workspace / "mine").mkdir()
    folder, scratch = tmp_path / "run", tmp_path / "run" / "tmp"
    scratch.mkdir(parents=True)
    task = f"{command('echo 1 > mine/a; echo 2 > b; echo 3 > $HOME/c; echo 4 > $TMPDIR/d')} [[say:done]]"
    request = Contained(
        prompt=Prompt((Part("task", "task", task, 1, "", False),)),
        workspace=str(coder.workspace),
        argv=(),
        argv_resume=(),
        model=MODEL,
        tools=None,
        provider_id=None,
        resume=False,
        agent_state=str(tmp_path / "state"),
        can_write=("mine/",),
        output_limit_tokens=400,
        run_folder=str(folder),
        service=Service(program=str(client("codex")), home=str(coder.home / ".codex")),
        keep=keep,
    )
    launch = CodexAdapter().launch(request)
    for name, text in launch.files.items():
        (folder / name).write_text(text)
    env = coder.env | launch.env | {"TMPDIR": str(scratch)}
    writes = (str(coder.workspace / "mine"), str(scratch), *launch.state_paths)
    job = KeeperJob(launch.argv, request.workspace, env, 30, 2, 10**6, sandbox=SandboxRules(writes))
    start_keeper(folder, job, launch.stdin)
    end = asyncio.run(wait_for_end(folder))
    result = CodexAdapter().reader(folder).result(end.exit_code)
    assert (end.outcome, result.text, result.why) == ("succeeded", "done", "")
    assert result.usage.output_tokens == server.billed().output_tokens
    made = [coder.workspace / "mine" / "a", coder.workspace / "b", coder.home / "c", scratch / "d"]
    assert [path.exists() for path in made] == [True, False, False, True]
    assert list((coder.home / ".codex" / "sessions").rglob("*.jsonl")), "its log is where it is looked for"
