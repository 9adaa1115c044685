"""Where is the middle of an answer, and what is billed for a part of it?"""

from collections.abc import Sequence

import msgspec

from tests.modelserver.asked import Usage
from tests.modelserver.wire import Frame


def cut(frames: Sequence[Frame]) -> int:
    """The index of the frame before which an answer is cut in its middle: half of its deltas are out, at least one."""
    deltas = [at for at, frame in enumerate(frames) if frame.output_chars]
    return deltas[max(len(deltas) // 2, 1) - 1] + 1 if deltas else len(frames) - 1


def output_sent(usage: Usage, output_tokens: int) -> Usage:
    """This usage with only so much output."""
    reasoning = min(usage.reasoning_tokens, output_tokens)
    return msgspec.structs.replace(usage, output_tokens=output_tokens, reasoning_tokens=reasoning)
