"""How many tokens has a prompt by the provider's own count? It is asked over the network, and charges nothing.

What it counts is the whole first request: the prompt, and what the adapter sends beside it.
"""

import os
import subprocess

import msgspec
from msgspec import Struct

from engine.adapters.models import ModelAdapter
from engine.adapters.registry import adapter
from engine.config.model import Config
from engine.contract.launch import AdapterRequest
from engine.runtime.composing import Composed
from engine.runtime.services import handed
from state.errors import QuarterdeckError, Refused
from state.home import Home

PATIENCE_S = 30.0


class _Told(Struct, frozen=True):
    input_tokens: int | None = None
    why: str = ""


def counted_by_provider(home: Home, composed: Composed, config: Config) -> int | None:
    """None where the provider does not count. Raises Refused where it cannot be asked, QuarterdeckError when it does
    not answer."""
    speaks = adapter(composed.route.adapter)
    if not isinstance(speaks, ModelAdapter):
        raise Refused(f"the {speaks.name} adapter has nobody to count for it", "only models over HTTP are counted so")
    if composed.problem[0]:
        raise Refused(*composed.problem)
    launch = speaks.launch(_request(home, composed, config))
    env = {"PATH": os.environ.get("PATH", os.defpath)} | launch.env
    env |= handed(speaks.name, composed.agent, config).values
    try:
        done = subprocess.run(
            [*launch.argv, "count"],
            input=launch.stdin.encode("utf-8", "replace"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            timeout=PATIENCE_S,
            check=False,
        )
        told = msgspec.json.decode(done.stdout, type=_Told)
    except (OSError, subprocess.TimeoutExpired, msgspec.MsgspecError) as error:
        raise QuarterdeckError("the provider's count did not come", "try again") from error
    if told.why:
        raise QuarterdeckError(told.why, "see: qd doctor")
    return told.input_tokens


def _request(home: Home, composed: Composed, config: Config) -> AdapterRequest:
    """As the run would be started in a new conversation."""
    return AdapterRequest(
        prompt=composed.prompt,
        workspace=str(composed.workspace),
        argv=(),
        argv_resume=(),
        model=composed.route.model,
        tools=composed.route.tools,
        provider_id=None,
        resume=False,
        agent_state=str(home.agents / composed.route.adapter),
        can_write=composed.route.can_write,
        output_limit_tokens=config.limits.output_tokens,
        service=composed.wanted.service,
        can_read=composed.route.can_read,
    )
