"""The child of the digest agent: from the files on its input to one recap on its output.

It reads its input and its own state, never the files themselves. What it says is left to `recap`."""

import argparse
import json
import os
import re
import sys
import tempfile
import uuid
from pathlib import Path
from typing import NoReturn

import msgspec

from engine.adapters.recap import File, Seen, recap, remember, within
from engine.tokens.count import count_tokens

NO_CONVERSATION = 3
WRONG = 2
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Memory(msgspec.Struct, frozen=True):
    """The state of one conversation: what its last run saw."""

    files: dict[str, Seen]


def main(arguments: list[str] | None = None) -> None:
    """Read the job from stdin, write the recap to stdout as one JSON object."""
    options = _options(arguments)
    conversation = options.conversation or str(uuid.uuid4())
    place = _place(options.state, conversation, options.resume)
    before = _recall(place, conversation).files if options.resume else None
    target = _target(options.workspace, options.write) if options.write is not None else None
    given = json.loads(sys.stdin.buffer.read())
    files = [File(str(file["path"]), str(file["text"])) for file in given["files"]]
    lines = recap(str(given["task"]), files, len(given["notes"]), before)
    text = within(lines, options.limit_tokens, _tokens)
    if target is not None:
        _replace(target, text + "\n")
    _replace(place, msgspec.json.encode(Memory(remember(files))).decode())
    usage = {"input_tokens": int(given["input_tokens"]), "output_tokens": _tokens(text)}
    _say({"text": text, "usage": usage, "conversation": conversation})


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="digest")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--conversation")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--limit-tokens", type=int)
    parser.add_argument("--workspace", type=Path, default=Path())
    parser.add_argument("--write")
    return parser.parse_args(arguments)


def _tokens(text: str) -> int:
    return count_tokens(text).tokens


def _place(state: Path, conversation: str, resume: bool) -> Path:
    """Where the conversation's state lies; its id may not lead anywhere else."""
    if not _ID.fullmatch(conversation):
        if resume:
            _unknown(conversation)
        _fail(WRONG, f"not a conversation id: {conversation!r}")
    return state / f"{conversation}.json"


def _recall(place: Path, conversation: str) -> Memory:
    try:
        return msgspec.json.decode(place.read_bytes(), type=Memory)
    except (OSError, msgspec.MsgspecError):
        _unknown(conversation)


def _target(workspace: Path, write: str) -> Path:
    root = workspace.resolve()
    target = (root / write).resolve()
    if root not in target.parents:
        _fail(WRONG, f"refusing to write {write!r}: it lies outside the workspace")
    if target.is_dir():
        _fail(WRONG, f"refusing to write {write!r}: it is a folder")
    return target


def _replace(path: Path, text: str) -> None:
    """Write aside, then rename: a reader sees the old content or the new."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".digest-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="\n") as file:
                file.write(text)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink()
            raise
    except OSError as error:
        _fail(1, f"cannot write {str(path)!r}: {error.strerror}")


def _unknown(conversation: str) -> NoReturn:
    _fail(NO_CONVERSATION, f"no conversation found with id {conversation}")


def _fail(code: int, why: str) -> NoReturn:
    _say({"error": why})
    sys.exit(code)


def _say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
