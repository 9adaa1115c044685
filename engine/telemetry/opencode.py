"""Where does opencode keep its messages, and which of its files are logs?

`opencode.db` (channels: `opencode-<channel>.db`) in its data folder; versions before about 1.2 kept one JSON file per
message below `storage/message`, which the move to the database leaves behind. By opencode's public source and reports
from users of 1.x and 2.x; 1.18.33 was run. Not read: the `project/<name>/storage` layout of before mid-2025.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.contract.usage import Cursor, LogBatch, SessionPart
from engine.telemetry.opencode_database import read_database
from engine.telemetry.opencode_rows import counts_of, identity, message_of, response_of
from engine.telemetry.rows import BadRow
from engine.telemetry.source import TITLE_CHARS, Archive, Facts, LogFile

DATABASES = ""
"""The root whose own files are databases."""
MESSAGES = "storage/message"
"""The root of one file per message, `<session>/<message>.json`."""

_DATABASE = re.compile(r"opencode(-[\w.-]+)?\.db", re.ASCII)
# A backup tells nothing new. Were one read under another name, its messages have the identities of the originals.
_BACKUP = re.compile(r"[-_.](backup|bak|copy|old|orig|snapshot|\d{6,})(?=[-_.])", re.IGNORECASE)


class OpenCode:
    """The data folder has two roots: the databases in it, and the messages of older versions below it."""

    name = "opencode"

    def is_log(self, parts: tuple[str, ...]) -> bool:
        if len(parts) == 1:
            return bool(_DATABASE.fullmatch(parts[0])) and not _BACKUP.search(parts[0])
        return len(parts) == 2 and parts[0].startswith("ses") and parts[1].endswith(".json")

    def companions(self, path: str) -> tuple[str, ...]:
        return (f"{path}-wal",) if path.endswith(".db") else ()

    def provider_id(self, parts: tuple[str, ...]) -> str | None:
        return parts[0] if len(parts) == 2 else None

    def read(self, file: LogFile, cursor: Cursor | None, archive: Archive) -> Iterator[LogBatch]:
        return read_database(file, cursor) if len(file.parts) == 1 else _read_message(file, cursor)


class _SessionTime(Struct):
    created: int | None = None


class _SessionFile(Struct):
    """`storage/session/<project>/<session>.json`."""

    title: str | None = None
    directory: str | None = None
    time: _SessionTime = msgspec.field(default_factory=_SessionTime)


_SESSION = msgspec.json.Decoder(_SessionFile)


def _read_message(file: LogFile, cursor: Cursor | None) -> Iterator[LogBatch]:
    """A message file is written anew with each change, so it is read as a whole. The carry is the identity it was
    reported under first."""
    data = Path(file.path).read_bytes()
    session = _session_file(file)
    facts = Facts(
        provider_id=file.parts[0],
        started_ms=session.time.created,
        workspace=session.directory,
        title=session.title and session.title[:TITLE_CHARS],
    )
    key, responses, refused = cursor.carry if cursor else "", [], {}
    try:
        message = message_of(data)
        facts.seen_at(message.last_ms)
        counts = counts_of(message) if message.role == "assistant" else None
        if counts:
            key = key or identity(message, counts, message.id or file.parts[-1].removesuffix(".json"))
            response = response_of(message, counts, key, file.mtime_ms, 0)
            if session.time.created is not None and response.at_ms < session.time.created:
                response = msgspec.structs.replace(response, confidence="inferred")  # a fork's copy of a message
            facts.model = response.model
            facts.context_tokens = sum(counts)
            responses.append(response)
    except BadRow as bad:
        refused[bad.args[0]] = 1
    yield LogBatch(
        source=file.root.source,
        cursor=Cursor(file.path, file.device, file.inode, file.size, file.mtime_ns, len(data), "", key),
        parts=(SessionPart(facts.session(file.root, file.parts[0], file.mtime_ms), tuple(responses)),),
        lines=1,
        refused=refused,
        restarted=cursor is not None,
    )


def _session_file(file: LogFile) -> _SessionFile:
    """What the client wrote about the session; nothing where it did not, or where that file is damaged."""
    sessions = Path(file.root.provider_home, "storage", "session")
    for path in sessions.glob(f"*/{file.parts[0]}.json"):
        try:
            return _SESSION.decode(path.read_bytes())
        except (OSError, msgspec.DecodeError, ValueError):
            continue
    return _SessionFile()
