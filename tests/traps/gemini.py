"""How do Gemini CLI's chat records mislead?"""

import json
from pathlib import Path
from typing import Any

from tests.traps.trap import Expected, Trap, write_rows

SESSION = "5e551000-1111-4222-8333-444444444444"
CHATS = Path(".gemini/tmp/shop/chats")
NAME = "session-2026-11-10T10-00-5e551000"


def header(session: str = SESSION, **more: Any) -> dict[str, Any]:
    start = "2026-11-10T10:00:00.000Z"
    return {"sessionId": session, "projectHash": "ab" * 32, "startTime": start, "lastUpdated": start, **more}


def tokens(input: int, output: int, cached: int = 0, thoughts: int = 0, tool: int = 0) -> dict[str, int]:
    total = input + output + thoughts + tool
    return {"input": input, "output": output, "cached": cached, "thoughts": thoughts, "tool": tool, "total": total}


def prompt(number: int, words: str = "tidy up") -> dict[str, Any]:
    return {"id": f"u{number}", "timestamp": stamp(number), "type": "user", "content": [{"text": words}]}


def answer(number: int, used: Any, **more: Any) -> dict[str, Any]:
    said = {"id": f"m{number}", "timestamp": stamp(number), "type": "gemini", "model": "gemini-3-pro", "content": "ok"}
    return {**said, "tokens": used, **more}


def stamp(number: int) -> str:
    return f"2026-11-10T10:{number:02}:05.000Z"


def document(*messages: Any, **more: Any) -> bytes:
    return json.dumps({**header(), "messages": messages, **more}, indent=2).encode()


def lines(home: Path, *rows: Any, name: str = f"{NAME}.jsonl") -> None:
    write_rows(home / CHATS / name, *rows)


def whole(home: Path, content: bytes, name: str = f"{NAME}.json") -> None:
    path = home / CHATS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _json_doc(home: Path) -> Expected:
    whole(home, document(prompt(1), answer(1, tokens(100, 10)), prompt(2), answer(2, tokens(150, 20))))
    return Expected(2, 250, 0, 0, 30, sessions={SESSION: 30})


def _jsonl(home: Path) -> Expected:
    patch = {"$set": {"lastUpdated": stamp(3), "summary": "sums"}}
    lines(home, header(), prompt(1), answer(1, tokens(100, 10)), patch, answer(2, tokens(150, 20)), patch)
    return Expected(2, 250, 0, 0, 30, sessions={SESSION: 30})


def _json_to_jsonl(home: Path) -> Expected:
    messages = [prompt(1), answer(1, tokens(100, 10)), answer(2, tokens(150, 20))]
    whole(home, document(*messages))
    lines(home, header(), *messages, {"$set": {"sessionId": SESSION}}, answer(3, tokens(200, 5)))
    return Expected(3, 450, 0, 0, 35, sessions={SESSION: 35})


def _moved_folder(home: Path) -> Expected:
    messages = [answer(1, tokens(100, 10)), answer(2, tokens(150, 20))]
    whole(home, document(*messages), f"../../{'ab' * 32}/chats/{NAME}.json")
    whole(home, document(*messages, answer(3, tokens(200, 5))))
    return Expected(3, 450, 0, 0, 35, sessions={SESSION: 35})


def _repeated_ids(home: Path) -> Expected:
    growing = [answer(1, None), answer(1, tokens(100, 4)), answer(1, tokens(100, 10), toolCalls=[{"id": "c"}])]
    lines(home, header(), *growing, answer(1, tokens(100, 7)), answer(2, tokens(150, 20)), answer(2, tokens(150, 20)))
    return Expected(2, 250, 0, 0, 30)


def _set_patches(home: Path) -> Expected:
    old = [answer(1, tokens(100, 10)), answer(2, tokens(150, 20))]
    summary = {"id": "x1", "timestamp": stamp(3), "type": "gemini", "content": [{"text": "all in short"}]}
    lines(home, header(), *old, {"$set": {"messages": [*old, summary]}}, answer(4, tokens(60, 3)), {"$set": {}})
    return Expected(3, 310, 0, 0, 33)


def _rewind(home: Path) -> Expected:
    kept, undone = answer(1, tokens(100, 10)), answer(2, tokens(150, 20))
    lines(home, header(), kept, prompt(2), undone, {"$rewindTo": "u2"}, answer(3, tokens(140, 5)))
    return Expected(3, 390, 0, 0, 35)


def _thoughts_beside(home: Path) -> Expected:
    lines(home, header(), answer(1, tokens(100, 10, thoughts=90)))
    return Expected(1, 100, 0, 0, 100)


def _cached_inside(home: Path) -> Expected:
    lines(home, header(), answer(1, tokens(7100, 180, cached=6000)))
    return Expected(1, 1100, 6000, 0, 180)


def _tool_beside(home: Path) -> Expected:
    lines(home, header(), answer(1, tokens(100, 10, cached=40, tool=500)))
    return Expected(1, 560, 40, 0, 10)


def _subagent(home: Path) -> Expected:
    child = "c417d000-1111-4222-8333-444444444444"
    lines(home, header(kind="main"), answer(1, tokens(100, 10)))
    nested = header(child, kind="subagent")
    lines(home, nested, prompt(1, "look there"), answer(1, tokens(30, 3)), name=f"{SESSION}/{child}.jsonl")
    return Expected(2, 130, 0, 0, 13, sessions={SESSION: 13})


GROWING = (
    document(prompt(1)),
    document(prompt(1), answer(1, None)),
    document(prompt(1), answer(1, tokens(100, 4))),
    document(prompt(1), answer(1, tokens(100, 10)), answer(2, tokens(150, 20))),
    document(prompt(1), answer(1, tokens(100, 10)), answer(2, tokens(150, 20)), answer(3, tokens(9, 1))),
)
"""A document as it was written, one time after the other."""


def _growing_doc(home: Path) -> Expected:
    whole(home, GROWING[-1])
    return Expected(3, 259, 0, 0, 31)


def _torn_tail(home: Path) -> Expected:
    torn = json.dumps(answer(2, tokens(150, 20))).encode()[:-9]
    lines(home, header(), answer(1, tokens(100, 10)), torn)
    return Expected(1, 100, 0, 0, 10)


def _torn_middle(home: Path) -> Expected:
    torn = json.dumps(answer(2, tokens(150, 20))).encode()[:-9] + b"\n"
    lines(home, header(), answer(1, tokens(100, 10)), torn, answer(3, tokens(7, 1)))
    return Expected(2, 107, 0, 0, 11, refused={"bad_json": 1})


def _null_tokens(home: Path) -> Expected:
    partly = {"input": 100, "output": 10, "cached": None, "thoughts": None, "total": 110}
    bare = {name: value for name, value in answer(4, None).items() if name != "tokens"}
    lines(home, header(), answer(1, None), answer(2, partly), answer(3, tokens(0, 0)), bare)
    return Expected(1, 100, 0, 0, 10)


def _quoted_tokens(home: Path) -> Expected:
    inner = answer(9, tokens(900, 90))
    call = {
        "id": "c",
        "name": "read_file",
        "args": {"tokens": tokens(800, 80)},
        "result": [{"text": json.dumps(inner)}],
    }
    user = {**prompt(2), "tokens": tokens(700, 70)}
    lines(home, header(), user, {**prompt(3), "content": [inner]}, answer(1, tokens(100, 10), toolCalls=[call]))
    return Expected(1, 100, 0, 0, 10)


TRAPS = tuple(
    Trap(name, "gemini", why, build)
    for name, why, build in (
        ("json_doc", "one object per session: nothing that reads lines finds a response in it", _json_doc),
        ("jsonl", "rows without a message between the messages", _jsonl),
        ("json_to_jsonl", "a resumed session is copied to the new format, the old file stays", _json_to_jsonl),
        ("moved_folder", "a project's folder is copied from its hash to its slug, the old one stays", _moved_folder),
        ("repeated_ids", "a message is written again whenever its tokens or tool calls change", _repeated_ids),
        ("set_patches", "a patch holds the whole history once more", _set_patches),
        ("rewind", "the text is taken back, the money is not", _rewind),
        ("thoughts_beside", "thoughts are not inside output, as they are with other providers", _thoughts_beside),
        ("cached_inside", "cached tokens are inside input, which must not be charged in full", _cached_inside),
        ("tool_beside", "results of the provider's own tools are prompt, but not inside input", _tool_beside),
        ("subagent", "subagents have a file of their own, with message ids like their parent's", _subagent),
        ("growing_doc", "the whole document is written again with every message", _growing_doc),
        ("torn_tail", "the last row is being written", _torn_tail),
        ("torn_middle", "a row was cut by a crash", _torn_middle),
        ("null_tokens", "counts are null or missing until they are known, some for ever", _null_tokens),
        ("quoted_tokens", "tool calls and prompts quote records", _quoted_tokens),
    )
)
