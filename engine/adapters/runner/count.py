"""How many tokens has the first request of a job, by the provider's own count?"""

import httpx
import msgspec
from msgspec import Struct

from engine.adapters.runner.asking import client
from engine.adapters.runner.faults import Fault
from engine.adapters.runner.history import History
from engine.adapters.runner.job import Job
from engine.adapters.runner.refusal import refusal
from engine.adapters.runner.talk import Message, Text
from engine.adapters.runner.wires import WIRES


class _Counted(Struct, frozen=True):
    input_tokens: int


def count(job: Job, key: str) -> int | None:
    """None where the provider does not count. Raises Fault. Costs nothing."""
    wire = WIRES[job.api]
    if wire.count_path is None:
        return None
    earlier = History(job).messages
    message = Message("user", tuple(Text(part.text, part.stable) for part in job.message))
    whole = wire.body(job, (*earlier, message), len(earlier))
    body = msgspec.json.encode({name: whole[name] for name in wire.count_keys if name in whole})
    headers = wire.headers(key) | {"content-type": "application/json"}
    try:
        with (
            client(job) as asked,
            asked.stream("POST", job.base_url + wire.count_path, content=body, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise refusal(response, key)
            return msgspec.json.decode(response.read(), type=_Counted).input_tokens
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError) as error:
        raise Fault(f"{job.base_url} does not count: {error}") from None
