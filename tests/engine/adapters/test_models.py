"""Is a model over HTTP started as declared, is what is missing said, and is the program's output understood?"""

import socket
import sys

import msgspec
import pytest

from engine.adapters import ollama_server
from engine.adapters.models import ANTHROPIC, OLLAMA, OPENAI, base_url
from engine.adapters.registry import adapter
from engine.adapters.runner.job import Job
from engine.adapters.runner.lines import Ended, Used
from engine.contract.launch import RunUsage, Service, Wanted
from engine.contract.progress import Began, Noted, Said, ToolDone, ToolUse
from engine.tokens.count import count_tokens
from state.errors import Refused
from tests.modelserver import ModelServer, refused_url

MODELS = (ANTHROPIC, OPENAI, OLLAMA)
KEY = Service(key_known=True)


def wanted(**changes):
    fields = {"workspace": "/w", "service": KEY, "model": "m", "tools": None, "keep": None}
    return Wanted(**{**fields, **changes})


def job_of(launch):
    return msgspec.json.decode(launch.stdin, type=Job)


@pytest.fixture(autouse=True)
def nothing_seen():
    ollama_server._seen.clear()


def test_they_are_there_by_name():
    assert [adapter(one.name) for one in MODELS] == list(MODELS)
    assert [(one.key_env, one.free) for one in MODELS] == [
        ("ANTHROPIC_API_KEY", False),
        ("OPENAI_API_KEY", False),
        (None, True),
    ]


@pytest.mark.parametrize("model", MODELS)
def test_it_is_started_with_its_job_on_its_input_and_nothing_of_it_in_its_argv(bench, model):
    parts = [
        ("instructions", "AGENTS.md", "Be good."),
        ("tools", "tools", "Tools: read"),
        ("file", "a.md", "file"),
        ("prompt", "prompt template", "Mind the gap."),
        ("task", "task", "do \ud800 it"),
    ]
    request = bench.request(*parts, model="m", tools=("edit", "read"), can_write=("notes/",), can_read=("src/",))
    launch = model.launch(request)
    job = job_of(launch)
    assert launch.argv == (sys.executable, "-P", "-m", "engine.adapters.runner")
    assert set(launch.env) == {"PYTHONPATH"}
    assert [part.text for part in job.system] == ["Be good.", "Tools: read"]
    assert [part.text for part in job.message] == ["--- a.md ---\nfile", "Mind the gap.", "do ? it"]
    assert (job.tools, job.can_write, job.can_read) == (("read", "edit"), ("notes/",), ("src/",))
    assert (job.conversation, job.resume, job.key_env) == ("conversation-1", False, model.key_env)
    assert launch.state_paths == (str(bench.state),)


def test_what_opens_a_conversation_is_sent_every_time(bench):
    request = bench.request(("instructions", "A", "Be good."), ("file", "a", "x"), ("task", "task", "do"), model="m")
    held = tuple(msgspec.structs.replace(part, sent=part.kind == "task") for part in request.prompt.parts)
    again = msgspec.structs.replace(request, prompt=msgspec.structs.replace(request.prompt, parts=held), resume=True)
    job = job_of(ANTHROPIC.launch(again))
    assert [part.text for part in job.system] == ["Be good."]
    assert [part.text for part in job.message] == ["do"]


def test_nothing_to_say_is_refused(bench):
    with pytest.raises(Refused, match="nothing to say"):
        ANTHROPIC.launch(bench.request(("instructions", "A", "Be good."), ("task", "task", " \n"), model="m"))


@pytest.mark.parametrize("limit", [400, 100_000])
def test_an_answer_may_have_what_is_expected_and_more(bench, limit):
    launch = OPENAI.launch(bench.request(("task", "task", "do"), model="m", output_limit_tokens=limit))
    assert job_of(launch).output_tokens == max(limit, 8192)


@pytest.mark.parametrize(
    ("name", "declared", "host", "expected"),
    [
        ("anthropic", None, "", "https://api.anthropic.com"),
        ("anthropic", "http://x:1/v1/", "", "http://x:1"),
        ("anthropic", "http://x:1/proxy", "", "http://x:1/proxy"),
        ("openai", None, "", "https://api.openai.com/v1"),
        ("openai", "http://x:1", "", "http://x:1/v1"),
        ("openai", "http://x:1/", "", "http://x:1/v1"),
        ("openai", "http://x:1/v1", "", "http://x:1/v1"),
        ("openai", "http://x:1/api/v3/", "", "http://x:1/api/v3"),
        ("ollama", None, "", "http://127.0.0.1:11434"),
        ("ollama", "http://x:1/", "0.0.0.0:9", "http://x:1"),
        ("ollama", None, "0.0.0.0", "http://127.0.0.1:11434"),
        ("ollama", None, "0.0.0.0:9", "http://127.0.0.1:9"),
        ("ollama", None, ":9", "http://127.0.0.1:9"),
        ("ollama", None, "gpu", "http://gpu:11434"),
        ("ollama", None, "https://gpu.example", "https://gpu.example"),
        ("ollama", None, "http://gpu:9/", "http://gpu:9"),
        ("ollama", None, "[::]:9", "http://127.0.0.1:9"),
        ("ollama", None, "[::1]", "http://[::1]:11434"),
    ],
)
def test_where_the_server_is(monkeypatch, name, declared, host, expected):
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert base_url(name, Service(base_url=declared)) == expected


@pytest.mark.parametrize(
    ("model", "changes", "why", "fix"),
    [
        (OPENAI, {"model": None}, "which model", "--model openai/MODEL"),
        (OPENAI, {"argv": ("x",)}, "takes no program", "--"),
        (OPENAI, {"tools": ("read", "Bash")}, "no tool 'Bash'", "read, list, search, write, edit"),
        (OPENAI, {"service": Service()}, "no key for openai", "OPENAI_API_KEY"),
        (ANTHROPIC, {"service": Service()}, "no key for anthropic", "[adapter.anthropic]"),
        (OPENAI, {"service": Service(base_url="gpu:8000")}, "no address", "http://HOST:PORT"),
        (OLLAMA, {"service": Service(base_url=refused_url())}, "does not answer", "ollama serve"),
    ],
)
def test_what_it_lacks_is_said_with_what_to_do(model, changes, why, fix):
    lacks = model.lacks(wanted(**changes))
    assert why in lacks[0]
    assert fix in lacks[1]


@pytest.mark.parametrize("model", [ANTHROPIC, OPENAI])
def test_with_a_key_or_a_server_of_ones_own_it_can_be_started(model):
    assert model.lacks(wanted(tools=("read",))) == ("", "")
    assert model.lacks(wanted(service=Service(base_url="http://127.0.0.1:8000"))) == ("", "")


def test_ollama_is_asked_for_its_models_once_in_a_while():
    with ModelServer() as server:
        service = Service(base_url=server.url)
        assert OLLAMA.lacks(wanted(service=service, model="llama3.2")) == ("", "")
        assert OLLAMA.lacks(wanted(service=service, model="llama3.2:latest")) == ("", "")
        assert OLLAMA.lacks(wanted(service=service, model="qwen"))[1] == "ollama pull qwen"
        assert [record.path for record in server.requests] == ["/api/tags"]


def test_a_server_that_never_answers_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "does not answer" in OLLAMA.lacks(wanted(service=Service(base_url=url)))[0]


@pytest.mark.parametrize("model", MODELS)
def test_the_declarations_of_its_tools_are_what_it_sends_beside_the_prompt(model):
    assert model.overhead_tokens(wanted()) == model.overhead_tokens(wanted(tools=())) == 0
    few, all_of_them = (model.overhead_tokens(wanted(tools=tools)) for tools in (("read",), ("read", "list", "edit")))
    assert 20 < few < all_of_them < 300
    assert few == count_tokens(schema_of(model)).tokens


def schema_of(model):
    from engine.adapters.models import api_of
    from engine.adapters.runner.schemas import tool_schemas

    return tool_schemas(api_of(model.name, KEY), ("read",))


# What the program puts out

USED = Used(RunUsage(7, 3), rounds=2, told=2, untold=0, partial=False, raw=({"in": 7},))


def replaced(**changes):
    return msgspec.structs.replace(USED, **changes)


class Tape:
    """Output that grows."""

    def __init__(self, folder):
        self.folder = folder
        self.reader = ANTHROPIC.reader(folder)

    def put(self, *lines):
        with (self.folder / "stdout.log").open("ab") as file:
            for line in lines:
                file.write(line if isinstance(line, bytes) else msgspec.json.encode(line) + b"\n")


@pytest.fixture
def tape(tmp_path):
    return Tape(tmp_path)


def test_progress_is_told_as_it_comes(tape):
    assert tape.reader.poll() is None
    tape.put(Began("c"), Said("a"), b'{"type":"said","te')
    assert tape.reader.poll() == [Began("c"), Said("a")]
    assert (tape.reader.usage, tape.reader.turns) == (None, 0)
    tape.put(b'xt":"b"}\n', USED)
    assert tape.reader.poll() == [Said("b")]
    assert (tape.reader.usage, tape.reader.turns) == (RunUsage(7, 3), 2)


def test_the_answer_is_what_was_said_after_the_last_tool(tape):
    tape.put(Said("let me "), Said("look"), ToolUse("1", "read", "a"), ToolDone("1", True, "x"), USED)
    assert ANTHROPIC.reader(tape.folder).result(1).text == "let me look"
    tape.put(Said("it "), Noted("warning", "w"), Said("says x"), Ended(True))
    result = tape.reader.result(0)
    assert (result.text, result.ok, result.turns, result.streamed) == ("it says x", True, 2, False)
    assert result.usage == RunUsage(7, 3)
    assert msgspec.json.decode(result.raw_usage) == {"requests": [{"in": 7}], "estimated": 0, "partial": False}


@pytest.mark.parametrize(
    ("used", "usage", "streamed"),
    [
        (None, RunUsage(0, 0, cost_microusd=0), False),
        (USED, RunUsage(7, 3), False),
        (replaced(partial=True), RunUsage(7, 3), True),
        (replaced(untold=1), RunUsage(7, 3), True),
        (replaced(untold=1, told=0), RunUsage(7, 3), True),
        (replaced(untold=0, told=0, usage=RunUsage(0, 0)), RunUsage(0, 0), False),
    ],
)
def test_what_it_used_is_marked_when_that_is_not_all(tape, used, usage, streamed):
    tape.put(*([used] if used else []), Ended(False, "no", unavailable=True))
    result = tape.reader.result(1)
    assert (result.usage, result.streamed, result.why, result.unavailable) == (usage, streamed, "no", True)


def test_a_program_that_was_killed_keeps_what_it_told(tape):
    (tape.folder / "stderr.log").write_text("Traceback\nMemoryError\n")
    tape.put(Said("half"), USED, b'{"type":"ended","ok":tr')
    result = tape.reader.result(None)
    assert (result.ok, result.text, result.usage, result.streamed) == (False, "half", RunUsage(7, 3), True)
    assert result.why == "it ended by a signal without an answer: MemoryError"


def test_a_program_that_put_nothing_out_has_used_nobody_knows_what(tmp_path):
    result = ANTHROPIC.reader(tmp_path).result(1)
    assert (result.ok, result.text, result.usage) == (False, "", None)


def test_lines_that_make_no_sense_are_passed_over(tape):
    tape.put(b"\xff\n", b"{}\n", b'{"type":"turn_over"}\n', b"[... 9 bytes dropped ...]\n", Said("x"), Ended(True))
    assert tape.reader.result(0).text == "x"
