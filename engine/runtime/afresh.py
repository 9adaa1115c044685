"""A provider does not know a conversation any more: how does the same run start in the next generation?"""

import uuid

import msgspec

from engine.context.compose import all_again, encoded_parts, receipt
from engine.contract.launch import AdapterRequest
from engine.runtime.conversation import next_generation
from state import events, receipts, runs, sessions
from state.database import Connection
from state.home import Home


def start_afresh(tx: Connection, home: Home, run_id: int, request: AdapterRequest, now_ms: int) -> AdapterRequest:
    """What to start then: it is told everything."""
    run = runs.get(tx, run_id)
    assert run.session_id is not None, "only an admitted run is started"
    assert run.generation_id is not None, "only an admitted run is started"
    old = sessions.generation(tx, run.generation_id)
    new = next_generation(tx, home, run.session_id, "resume_refused", None, now_ms)
    provider_id = str(uuid.uuid4())
    sessions.set_conversation(
        tx,
        new.id,
        provider_id=provider_id,
        model=old.model,
        workspace=run.workspace,
        assignment=old.assignment,
    )
    runs.move_to_generation(tx, run_id, new.id, "resume_refused")
    whole = all_again(request.prompt)
    kept = receipts.of_run(tx, run_id)
    assert kept is not None, "every run that leaves the gate has one"
    told = msgspec.structs.replace(
        kept, parts=encoded_parts(receipt(whole)), tokens=whole.tokens, chars=whole.chars, cache_break=None
    )
    receipts.store(tx, told)
    text = f"{run.agent} starts afresh: the provider no longer knew the conversation"
    events.add(tx, now_ms, "resume_refused", text, run_id=run_id, session_id=run.session_id)
    return msgspec.structs.replace(
        request, prompt=whole, resume=False, provider_id=provider_id, before=None, fork_of=None
    )
