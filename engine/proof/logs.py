"""What would an agent CLI have left on disk? A session log as Claude Code writes it, for observed usage to be found."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path


def write_log(user: Path, model: str, at: datetime, tokens: int) -> str:
    """A session of one response that used so many tokens; its name."""
    session = str(uuid.uuid4())
    path = user / ".claude" / "projects" / "-drill" / f"{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_response(session, model, at, tokens)) + "\n", encoding="utf-8")
    return session


def _response(session: str, model: str, at: datetime, tokens: int) -> dict[str, object]:
    message = {
        "id": f"msg_{session}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": "done"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": tokens, "output_tokens": 0},
    }
    return {
        "type": "assistant",
        "uuid": str(uuid.uuid4()),
        "timestamp": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "cwd": "/drill",
        "sessionId": session,
        "requestId": f"req_{session}",
        "message": message,
    }
