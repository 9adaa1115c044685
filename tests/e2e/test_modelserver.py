"""Does the model server say what it is told to over every API, and is nothing left of it?"""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.modelserver import ModelServer, Reply, Script, ToolCall, Usage, refused_url
from tests.modelserver.marks import Mark, find

ROOT = Path(__file__).resolve().parents[2]
LONG = "long " * 1000
PATIENCE_S = 60
WIRES = ("/v1/messages", "/v1/responses", "/v1/chat/completions", "/api/chat")


def exchange(server, path, body=None):
    """Status, headers and the whole answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)) as connection:
        connection.request("POST" if body is not None else "GET", path, None if body is None else json.dumps(body))
        got = connection.getresponse()
        return got.status, got.headers, got.read()


def body_for(path, prompt, **more):
    messages = {"messages": [{"role": "user", "content": prompt}]}
    return {"model": "m", **({"input": prompt} if path == "/v1/responses" else messages), **more}


def ask(server, path, prompt, **more):
    status, _, raw = exchange(server, path, body_for(path, prompt, stream=False, **more))
    assert status == 200, raw
    return json.loads(raw)


def frames(raw):
    """The data of each frame of a stream, of events or of lines."""
    lines = (line.removeprefix("data: ") for line in raw.decode().splitlines() if not line.startswith("event: "))
    return [json.loads(line) for line in lines if line and line != "[DONE]"]


def streamed(server, path, prompt):
    status, _, raw = exchange(server, path, body_for(path, prompt, stream=True, stream_options={"include_usage": True}))
    assert status == 200, raw
    return frames(raw)


TEXT = {
    "/v1/messages": lambda answer: answer["content"][-1]["text"],
    "/v1/responses": lambda answer: answer["output"][-1]["content"][0]["text"],
    "/v1/chat/completions": lambda answer: answer["choices"][0]["message"]["content"],
    "/api/chat": lambda answer: answer["message"]["content"],
}
DELTA = {
    "/v1/messages": lambda frame: frame.get("delta", {}).get("text", ""),
    "/v1/responses": lambda frame: frame["delta"] if frame["type"] == "response.output_text.delta" else "",
    "/v1/chat/completions": lambda frame: "".join(one["delta"].get("content", "") for one in frame["choices"]),
    "/api/chat": lambda frame: frame["message"]["content"],
}
TOLD = {
    "/v1/messages": lambda end: (end["usage"]["input_tokens"], end["usage"]["output_tokens"]),
    "/v1/responses": lambda end: (end["usage"]["input_tokens"], end["usage"]["output_tokens"]),
    "/v1/chat/completions": lambda end: (end["usage"]["prompt_tokens"], end["usage"]["completion_tokens"]),
    "/api/chat": lambda end: (end["prompt_eval_count"], end["eval_count"]),
}
END = {
    "/v1/messages": lambda got: got[-2],
    "/v1/responses": lambda got: got[-1]["response"],
    "/v1/chat/completions": lambda got: got[-1],
    "/api/chat": lambda got: got[-1],
}
CALLS = {
    "/v1/messages": lambda answer: [(one["name"], one["input"]) for one in answer["content"] if "input" in one],
    "/v1/responses": lambda answer: [
        (one["name"], json.loads(one["arguments"])) for one in answer["output"] if "arguments" in one
    ],
    "/v1/chat/completions": lambda answer: [
        (one["function"]["name"], json.loads(one["function"]["arguments"]))
        for one in answer["choices"][0]["message"].get("tool_calls", ())
    ],
    "/api/chat": lambda answer: [
        (one["function"]["name"], one["function"]["arguments"]) for one in answer["message"].get("tool_calls", ())
    ],
}


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("no mark", ()),
        ("a [[say:b: c]] d", (Mark("say", "b: c"),)),
        ("[[malformed]][[error:500:2]]", (Mark("malformed"), Mark("error", "500:2"))),
        ('[[tool:T:{"a":[[1],[2]]}]] [[say:x]]', (Mark("tool", 'T:{"a":[[1],[2]]}'), Mark("say", "x"))),
        ('[[tool:T:{"p":"[[say:inner]]"}]]', (Mark("tool", 'T:{"p":"[[say:inner]]"}'),)),
        ("[[say:see [[this]] too]]", (Mark("say", "see [[this]] too"),)),
        ("[[tool:T]]", (Mark("tool", "T"),)),
        ("<session>\nhi [[error:500]]\n</session>\nWrite the title", ()),
    ],
)
def test_marks_are_found(text, marks):
    assert find(text) == marks


@pytest.mark.parametrize("prompt", ["[[say:x", "[[nothing]]", "[[tool:T:{]]", "[[hang:never]]", "[[usage:much=1]]"])
def test_a_mark_that_cannot_be_understood_is_refused(server, prompt):
    status, _, raw = exchange(server, "/v1/messages", body_for("/v1/messages", prompt))
    assert (status, json.loads(raw)["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("path", WIRES)
def test_a_streamed_answer_is_the_plain_one(server, path):
    prompt = "hi [[think:let me see]] [[say:the answer is 42 ünd more]]"
    plain, got = ask(server, path, prompt), streamed(server, path, prompt)
    assert TEXT[path](plain) == "".join(map(DELTA[path], got)) == "the answer is 42 ünd more"
    assert TOLD[path](plain) == TOLD[path](END[path](got)) == (len(prompt) // 4 + 1, 9)
    assert [record.outcome for record in server.requests] == ["ok", "ok"]
    assert server.billed().output_tokens == 18
    assert all(record.reported for record in server.requests)


@pytest.mark.parametrize("path", WIRES)
def test_without_a_mark_it_says_ok(server, path):
    assert TEXT[path](ask(server, path, "hello")) == "ok"


def results(path, made):
    """What a client adds to its request for calls that it has made."""
    if path == "/v1/messages":
        content = [{"type": "tool_result", "tool_use_id": str(n), "content": "done"} for n in range(made)]
        return [{"role": "user", "content": [one]} for one in content]
    if path == "/v1/responses":
        return [{"type": "function_call_output", "call_id": str(n), "output": "done"} for n in range(made)]
    named = path == "/v1/chat/completions"
    return [{"role": "tool", "content": "done", **({"tool_call_id": str(n)} if named else {})} for n in range(made)]


@pytest.mark.parametrize("path", WIRES)
def test_tools_are_called_one_after_the_other_and_then_it_speaks(server, path):
    prompt = 'go [[tool:first:{"a":1}]] [[tool:second]] [[say:done]]'
    wanted = ([("first", {"a": 1})], [("second", {})], [])
    for made, calls in enumerate(wanted):
        key = "input" if path == "/v1/responses" else "messages"
        said = [{"role": "user", "content": prompt}, *results(path, made)]
        answer = json.loads(exchange(server, path, {"model": "m", "stream": False, key: said})[2])
        assert CALLS[path](answer) == calls
    assert TEXT[path](answer) == "done"


def test_results_from_before_the_prompt_do_not_count(server):
    said = [{"role": "user", "content": "before"}, *results("/v1/messages", 1)]
    said.append({"role": "user", "content": "[[tool:first]] [[say:done]]"})
    answer = json.loads(exchange(server, "/v1/messages", {"model": "m", "messages": said})[2])
    assert CALLS["/v1/messages"](answer) == [("first", {})]


def anthropic_body(*texts, ttl="5m"):
    blocks = [{"type": "text", "text": text} for text in texts]
    blocks[-1]["cache_control"] = {"type": "ephemeral", "ttl": ttl}
    return {"model": "m", "system": blocks, "messages": [{"role": "user", "content": "hi!!"}]}


def test_a_marked_prefix_is_written_once_and_then_read(server):
    for texts in ((LONG,), (LONG,), (LONG, "more")):
        exchange(server, "/v1/messages", anthropic_body(*texts))
    exchange(server, "/v1/messages", anthropic_body("other" + LONG, ttl="1h"))
    exchange(server, "/v1/messages", anthropic_body(LONG) | {"model": "another"})
    exchange(server, "/v1/messages", anthropic_body("short"))
    assert [record.billed for record in server.requests] == [
        Usage(1, 1, 0, 1250),
        Usage(1, 1, 1250, 0),
        Usage(1, 1, 1250, 1),
        Usage(1, 1, 0, 1252, 1252),
        Usage(1, 1, 0, 1250),
        Usage(3, 1),
    ]


def test_nothing_is_read_after_the_last_marker(server):
    exchange(server, "/v1/messages", anthropic_body(LONG, "more"))
    body = anthropic_body(LONG)
    body["system"].append({"type": "text", "text": "more"})
    exchange(server, "/v1/messages", body)
    assert server.requests[-1].billed == Usage(2, 1, 0, 1250)


def test_openai_reads_any_prefix_it_knows_under_the_same_key(server):
    for key, prompt in (("a", [LONG]), ("a", [LONG, "more"]), ("b", [LONG])):
        said = [{"role": "user", "content": text} for text in prompt]
        exchange(server, "/v1/responses", {"model": "m", "prompt_cache_key": key, "input": said})
    assert [(one.billed.input_tokens, one.billed.cache_read_tokens) for one in server.requests] == [
        (1250, 0),
        (1, 1250),
        (1250, 0),
    ]


def test_usage_can_be_dictated(server):
    answer = ask(server, "/v1/messages", "[[usage:in=1,out=2,read=3,write=4,write1h=1]]")
    assert answer["usage"]["cache_creation"] == {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 1}
    assert server.billed() == Usage(1, 2, 3, 4, 1)


@pytest.mark.parametrize("path", WIRES)
def test_an_error_costs_nothing_and_ends_after_its_number(server, path):
    prompt = "[[error:429:2]] [[retryafter:3]] [[say:fine]]"
    got = [exchange(server, path, body_for(path, prompt, stream=False)) for _ in range(3)]
    assert [status for status, _, _ in got] == [429, 429, 200]
    assert got[0][1]["Retry-After"] == "3"
    assert [one.outcome for one in server.requests] == ["http 429", "http 429", "ok"]
    assert [one.billed.prompt_tokens > 0 for one in server.requests] == [False, False, True]


@pytest.mark.parametrize("path", WIRES)
@pytest.mark.parametrize("stream", [True, False])
def test_a_dropped_answer_is_billed_but_not_reported(server, path, stream):
    with pytest.raises(http.client.IncompleteRead):
        exchange(server, path, body_for(path, "[[drop:mid]] [[big:400]]", stream=stream))
    with pytest.raises(http.client.RemoteDisconnected):
        exchange(server, path, body_for(path, "[[drop:headers]]", stream=stream))
    mid, headers = server.wait(lambda seen: len(seen) == 2 and all(one.ended for one in seen))
    assert (mid.outcome, mid.billed.output_tokens, mid.reported) == ("dropped mid", 50 if stream else 100, False)
    assert (headers.outcome, headers.billed.output_tokens, headers.reported) == ("dropped headers", 0, False)
    assert headers.billed.input_tokens > 0


def test_a_malformed_frame_stands_among_good_ones(server):
    _, _, raw = exchange(server, "/v1/messages", body_for("/v1/messages", "[[malformed]]", stream=True))
    assert b"{no json" in raw
    assert raw.rstrip().endswith(b'{"type":"message_stop"}')
    assert server.requests[0].outcome == "malformed"


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("/v1/messages", lambda frame: frame["error"]["type"]),
        ("/v1/responses", lambda frame: frame["response"]["error"]["code"]),
        ("/v1/chat/completions", lambda frame: frame["error"]["type"]),
        ("/api/chat", lambda frame: frame["error"].partition(":")[0]),
    ],
)
def test_an_error_event_ends_a_stream(server, path, last):
    got = streamed(server, path, "[[sseerror:overloaded]]")
    assert last(got[-1]) == "overloaded"
    (record,) = server.wait(lambda seen: seen[0].ended)
    assert (record.outcome, record.reported) == ("stream error", False)


def test_the_length_is_a_reason_to_stop(server):
    assert ask(server, "/v1/messages", "[[max_tokens]]")["stop_reason"] == "max_tokens"
    assert ask(server, "/v1/responses", "[[max_tokens]]")["status"] == "incomplete"
    assert ask(server, "/v1/chat/completions", "[[max_tokens]]")["choices"][0]["finish_reason"] == "length"
    assert ask(server, "/api/chat", "[[max_tokens]]")["done_reason"] == "length"


def request_and_leave(server, prompt):
    """A connection with a streamed request under way."""
    body = json.dumps(body_for("/v1/messages", prompt, stream=True)).encode()
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return connection


@pytest.mark.parametrize("where", ["headers", "mid"])
def test_a_hung_request_ends_when_the_client_goes(server, where):
    with request_and_leave(server, f"[[hang:{where}]] [[big:400]]"):
        (hung,) = server.wait(lambda seen: bool(seen) and seen[0].outcome == f"hung {where}")
        assert not hung.ended
    (record,) = server.wait(lambda seen: seen[0].ended)
    assert (record.outcome, record.billed.output_tokens) == (f"hung {where}", 50 if where == "mid" else 0)


def test_closing_ends_hung_requests_and_leaves_no_thread():
    before = set(threading.enumerate())
    with ModelServer() as server, contextlib.ExitStack() as open_connections:
        for where in ("headers", "mid"):
            open_connections.enter_context(request_and_leave(server, f"[[hang:{where}]]"))
        server.wait(lambda seen: [one.outcome[:4] for one in seen] == ["hung", "hung"])
        idle = http.client.HTTPConnection("127.0.0.1", server.port)
        open_connections.enter_context(contextlib.closing(idle))
        idle.request("GET", "/v1/models")
        idle.getresponse().read()
        server.close()
        assert idle.sock.recv(1) == b""
        assert set(threading.enumerate()) == before
        assert all(one.ended for one in server.requests)


def test_a_client_that_leaves_a_slow_answer_is_seen(server):
    with request_and_leave(server, "[[slow:20]] [[big:100000]]") as connection:
        server.wait(lambda seen: bool(seen) and seen[0].billed.output_tokens > 0)
        connection.shutdown(socket.SHUT_RDWR)
    (record,) = server.wait(lambda seen: seen[0].ended)
    assert (record.outcome, record.reported) == ("client gone", False)
    assert 0 < record.billed.output_tokens < 25_000


def test_a_script_answers_the_requests_that_it_picks():
    script = Script(
        Reply(calls=(ToolCall("a", {"x": 1}), ToolCall("b"))), Reply(error_status=503), match=lambda asked: asked.tools
    )
    tools = [{"name": "a", "input_schema": {}}]
    with ModelServer(script) as server:
        assert ask(server, "/v1/messages", "a title, please")["content"][0]["text"] == "ok"
        assert len(script) == 2
        answer = ask(server, "/v1/messages", "go [[say:unheard]]", tools=tools)
        assert CALLS["/v1/messages"](answer) == [("a", {"x": 1}), ("b", {})]
        assert exchange(server, "/v1/messages", body_for("/v1/messages", "go", tools=tools))[0] == 503
        assert ask(server, "/v1/messages", "go [[say:heard]]", tools=tools)["content"][0]["text"] == "heard"


def test_codes_of_codex_go_through_its_free_form_tool(server):
    tools = [{"type": "additional_tools", "role": "developer", "tools": CODE_TOOLS}]
    said = [*tools, {"role": "user", "content": '[[tool:exec_command:{"cmd":"ls"}]]'}]
    (call,) = json.loads(exchange(server, "/v1/responses", {"model": "m", "input": said})[2])["output"]
    assert (call["type"], call["name"]) == ("custom_tool_call", "exec")
    assert call["input"] == 'const result = await tools.exec_command({"cmd":"ls"});\ntext(result);\n'
    said[-1] = {"role": "user", "content": '[[tool:sleep:{"duration_ms":1}]]'}
    (call,) = json.loads(exchange(server, "/v1/responses", {"model": "m", "input": said})[2])["output"]
    assert (call["type"], call["name"], call["namespace"]) == ("function_call", "sleep", "clock")


CODE_TOOLS = [
    {"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec", "description": "code"}]},
    {"type": "namespace", "name": "clock", "tools": [{"type": "function", "name": "sleep", "parameters": {}}]},
]


def test_counts_and_lists_cost_nothing(server):
    counted = {"system": "12345678", "messages": [{"role": "user", "content": "1234"}], "model": "m"}
    assert json.loads(exchange(server, "/v1/messages/count_tokens", counted)[2]) == {"input_tokens": 3}
    given = {"instructions": "12345678", "input": "1234", "model": "m"}
    assert json.loads(exchange(server, "/v1/responses/input_tokens", given)[2])["input_tokens"] == 3
    assert {one["id"] for one in json.loads(exchange(server, "/v1/models")[2])["data"]} == set(server.models)
    assert json.loads(exchange(server, "/api/tags")[2])["models"][0]["name"] == server.models[0]
    assert "version" in json.loads(exchange(server, "/api/version")[2])
    assert "tools" in json.loads(exchange(server, "/api/show", {"model": server.models[0]})[2])["capabilities"]
    assert exchange(server, "/api/show", {"model": "none"})[0] == 404
    assert exchange(server, "/nowhere")[0] == 404
    assert server.calls == ()
    assert server.billed() == Usage()


def test_as_a_program_it_tells_its_url_and_logs_each_request(tmp_path):
    log = tmp_path / "requests.jsonl"
    argv = [sys.executable, "-m", "tests.modelserver", "--port", "0", "--log", str(log)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        port = int(json.loads(program.stdout.readline())["url"].rpartition(":")[2])
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
            body = json.dumps(body_for("/v1/messages", "1234 [[say:x]]"))
            connection.request("POST", "/v1/messages", body, {"x-api-key": "k", "session-id": "s"})
            assert connection.getresponse().status == 200
        program.send_signal(signal.SIGTERM)
        assert program.wait(PATIENCE_S) == 0
    (line,) = map(json.loads, log.read_text().splitlines())
    told = {"outcome": "ok", "session": "s", "auth_value": "k", "marks": ["[[say:x]]"], "total_chars": 14}
    assert line | told == line


def test_nobody_listens_at_the_refused_url():
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(refused_url().rpartition(":")[2])))
