"""How does OpenAI's responses API speak, and what does Codex want of it? `POST /v1/responses`, streamed and plain.

Codex's newer models have a "code mode": their tools come as an input item `additional_tools`, in namespaces, and most
exist only as functions of the JavaScript that the model sends to the free-form tool `exec`. A call of a tool that was
not declared by itself goes through `exec` where there is one.
"""

from collections.abc import Iterator
from typing import Any

from tests.modelserver.asked import Asked, Block, Tool, Usage, block, compact, contents, part_of, said, turn
from tests.modelserver.reply import ToolCall
from tests.modelserver.wire import Answer, Frame, Wire, event_lines, identifier, pieces

CODE = "exec"
OWN_NAMESPACE = "functions"
"""The one whose name a call leaves out."""


def _read(body: dict[str, Any]) -> Asked:
    items = _items(body)
    prompt, answered = turn(_turns(items))
    return Asked(
        model=body["model"],
        stream=bool(body.get("stream")),
        prompt=prompt,
        answered_calls=answered,
        tools=tuple(_tools(body, items)),
        blocks=tuple(_blocks(body, items)),
        caching="automatic",
        cache_scope=f"{body['model']} {body.get('prompt_cache_key', '')}",
    )


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    given = body.get("input", "")
    return [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given


def _turns(items: list[dict[str, Any]]) -> Iterator[tuple[str, set[str]]]:
    for item in items:
        if item.get("role") == "user":
            yield said(item["content"]), set()
        elif item.get("type") in ("function_call_output", "custom_tool_call_output"):
            yield "", {item["call_id"]}


def _declared(body: dict[str, Any], items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from body.get("tools") or ()
    for item in items:
        if item.get("type") == "additional_tools":
            yield from item["tools"]


def _tools(body: dict[str, Any], items: list[dict[str, Any]]) -> Iterator[Tool]:
    for declared in _declared(body, items):
        if declared["type"] == "namespace":
            space = None if declared["name"] == OWN_NAMESPACE else declared["name"]
            yield from (Tool(one["name"], one["type"] == "custom", space) for one in declared["tools"])
        else:
            yield Tool(declared.get("name", declared["type"]), declared["type"] == "custom")


def _blocks(body: dict[str, Any], items: list[dict[str, Any]]) -> Iterator[Block]:
    yield from (block("tools", "", tool) for tool in body.get("tools") or ())
    yield from (block("system", "", one) for one in contents(body.get("instructions")))
    for item in items:
        if item.get("type") == "additional_tools":
            yield from (block("tools", "", tool) for tool in item["tools"])
        elif "role" in item:
            role = item["role"]
            yield from (block(part_of(role), role, one) for one in contents(item["content"]))
        else:
            yield block("messages", "", item)


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
    }


def _output(answer: Answer) -> Iterator[dict[str, Any]]:
    """The whole items of the answer."""
    if answer.reply.thinking:
        summary = [{"type": "summary_text", "text": answer.reply.thinking}]
        yield {"type": "reasoning", "id": identifier("rs"), "summary": summary, "encrypted_content": "c2VjcmV0"}
    if answer.reply.words:
        content = [{"type": "output_text", "text": answer.reply.words, "annotations": [], "logprobs": []}]
        message = {"type": "message", "id": identifier("msg"), "role": "assistant", "content": content}
        yield message | {"status": "completed"}
    yield from (_call(call, answer.asked.tools) for call in answer.reply.calls)


def _call(call: ToolCall, tools: tuple[Tool, ...]) -> dict[str, Any]:
    declared = next((tool for tool in tools if tool.name == call.name), None)
    ids = {"call_id": identifier("call"), "status": "completed"}
    if declared is None and any(tool.name == CODE and tool.free_form for tool in tools):
        script = f"const result = await tools.{call.name}({compact(call.arguments)});\ntext(result);\n"
        return {"type": "custom_tool_call", "id": identifier("ctc"), "name": CODE, "input": script, **ids}
    if declared is not None and declared.free_form:
        given = call.arguments if isinstance(call.arguments, str) else compact(call.arguments)
        return {"type": "custom_tool_call", "id": identifier("ctc"), "name": call.name, "input": given, **ids}
    space = {"namespace": declared.namespace} if declared is not None and declared.namespace else {}
    arguments = compact(call.arguments)
    return {"type": "function_call", "id": identifier("fc"), "name": call.name, "arguments": arguments, **space, **ids}


def _response(answer: Answer, response_id: str, **more: Any) -> dict[str, Any]:
    return {"id": response_id, "object": "response", "created_at": 0, "model": answer.asked.model, "error": None} | more


def _end(answer: Answer) -> dict[str, Any]:
    if answer.reply.max_tokens:
        return {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    return {"status": "completed", "incomplete_details": None}


def _plain(answer: Answer) -> dict[str, Any]:
    output = list(_output(answer))
    return _response(answer, identifier("resp"), output=output, usage=_usage(answer.usage), **_end(answer))


def _frames(answer: Answer) -> Iterator[Frame]:
    for number, frame in enumerate(_unnumbered(answer)):
        yield Frame(frame.data | {"sequence_number": number}, frame.output_chars, frame.tells_usage)


def _unnumbered(answer: Answer) -> Iterator[Frame]:
    response_id = identifier("resp")
    begun = _response(answer, response_id, status="in_progress", output=[])
    yield Frame({"type": "response.created", "response": begun})
    yield Frame({"type": "response.in_progress", "response": begun})
    output = list(_output(answer))
    for index, item in enumerate(output):
        yield from _item_frames(index, item)
    end = _end(answer)
    whole = _response(answer, response_id, output=output, usage=_usage(answer.usage), **end)
    yield Frame({"type": f"response.{end['status']}", "response": whole}, tells_usage=True)


def _item_frames(index: int, item: dict[str, Any]) -> Iterator[Frame]:
    kind, empty, text = DELTAS[item["type"]](item)
    at = {"output_index": index}
    of = at | {"item_id": item["id"]} | ({"content_index": 0} if item["type"] == "message" else {})
    of |= {"summary_index": 0} if item["type"] == "reasoning" else {}
    yield Frame({"type": "response.output_item.added", **at, "item": item | {"status": "in_progress"} | empty})
    yield from _part(item["type"], "added", "", of)
    for piece in pieces(text):
        yield Frame({"type": f"response.{kind}.delta", **of, "delta": piece}, len(piece))
    yield Frame({"type": f"response.{kind}.done", **of, FULL.get(kind, "text"): text})
    yield from _part(item["type"], "done", text, of)
    yield Frame({"type": "response.output_item.done", **at, "item": item})


def _part(item_type: str, step: str, text: str, of: dict[str, Any]) -> Iterator[Frame]:
    if item_type == "message":
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        yield Frame({"type": f"response.content_part.{step}", **of, "part": part})
    elif item_type == "reasoning":
        part = {"type": "summary_text", "text": text}
        yield Frame({"type": f"response.reasoning_summary_part.{step}", **of, "part": part})


FULL = {"function_call_arguments": "arguments", "custom_tool_call_input": "input"}
"""Under which key the whole text stands when its deltas are done."""
DELTAS: dict[str, Any] = {
    "message": lambda item: ("output_text", {"content": []}, item["content"][0]["text"]),
    "reasoning": lambda item: ("reasoning_summary_text", {"summary": []}, item["summary"][0]["text"]),
    "function_call": lambda item: ("function_call_arguments", {"arguments": ""}, item["arguments"]),
    "custom_tool_call": lambda item: ("custom_tool_call_input", {"input": ""}, item["input"]),
}


def error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _stream_error(kind: str, message: str) -> dict[str, Any]:
    why = {"code": kind, "message": message}
    failed = {"id": identifier("resp"), "object": "response", "status": "failed", "error": why}
    return {"type": "response.failed", "response": {**failed, "output": [], "usage": None}}


WIRE = Wire(
    content_type="text/event-stream; charset=utf-8",
    read=_read,
    frames=_frames,
    plain=_plain,
    encode=event_lines,
    broken=b"event: response.output_text.delta\ndata: {no json\n\n",
    end=b"",
    error=error,
    stream_error=_stream_error,
)
