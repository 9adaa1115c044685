"""Traps of Codex's rollouts. Each builder adds up what it puts in."""

import json
from datetime import UTC, datetime, timedelta

import zstandard

from tests.traps import codex_forks
from tests.traps.codex_rollout import START, Rollout, Used, expected, limits, thread_id
from tests.traps.trap import Trap, write_rows

A, B, C = Used(9200, 210, 8100, 0, 64), Used(9600, 95, 9200), Used(9900, 400, 9500, 200, 128)
D, E = Used(4000, 30), Used(4200, 310, 3900, 0, 20)


def opened(home, number=1, form="counter", **more):
    return Rollout(home, number, form, **more).meta().ask("fix the test")


def cumulative(home):
    return expected(opened(home).reply(A).reply(B).ask().reply(C).write())


def dup_token_count(home):
    log = opened(home)
    for used, percent in ((A, 13.0), (B, 14.0), (C, 15.0)):
        log.reply(used).counter(log.total, used, percent).counter(log.total, used, percent + 0.5)
    return expected(log.write())


def no_total_tokens(home):
    """Two responses whose parts add up to the same number, in the shape of a version that wrote no sum."""
    log = opened(home)
    for used in (Used(100, 20), Used(100, 20), Used(90, 30)):
        log.reply(used)
        log.counter(log.total, used)
    for row in log.rows:
        for usage in (row["payload"].get("info") or {}).values():
            if isinstance(usage, dict):
                del usage["total_tokens"]
    return expected(log.write())


def null_info(home):
    log = Rollout(home, 1).meta().event("token_count", info=None, rate_limits=limits()).ask().reply(A)
    return expected(log.event("token_count", info=None, rate_limits=limits(15.0)).reply(B).write())


def only_total(home):
    log = opened(home, form="totals").reply(A).reply(B)
    return expected(log.counter(log.total, None).reply(C).write())


def total_reset(home):
    log = opened(home).reply(A).reply(B)
    log.total = Used(0, 0)
    return expected(log.reply(C).reply(D).write())


def _compact(log):
    history = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "fix the test"}]}]
    return log.add("compacted", {"message": "so far", "replacement_history": history})


def total_drop(home):
    log = opened(home).reply(A).reply(B).reply(C)
    log.total = Used(11000, 300, 9000, 0, 60)
    return expected(_compact(log).reply(D).reply(E).write())


def estimate_total(home):
    log = opened(home).reply(A).reply(B)
    nothing = Used(0, 0).logged(total=12000)
    _compact(log).counter(log.total, nothing)
    log.counter(log.total.logged(total=log.total.prompt + log.total.output + 12000), nothing)
    return expected(log.reply(C).write())


def usage_record(home):
    return expected(opened(home, form="record").reply(A).reply(B).ask().reply(C).reply(C).write())


def record_midway(home):
    log = opened(home).reply(A).reply(B).meta(cli_version="0.153.0").ask()
    return expected(log.reply(B, "record").reply(C, "record").write())


def record_of_other_thread(home):
    log = opened(home, form="record").reply(A)
    log.record(E, thread_id(99), "resp_other0001").counter(log.total.plus(E), E)
    log.record(D, thread_id(99), "resp_other0002")
    return expected(log.reply(B).write())


def compacted_checkpoint(home):
    log = opened(home, form="record").reply(A).reply(B)
    record = log.rows[-2]["payload"]
    log.add("compacted", {"message": "so far", "replacement_history": [], "latest_token_usage_record": record})
    log.add("compacted", {"message": "", "latest_token_usage_record": record | {"response_id": "resp_checkpoint"}})
    return expected(log.reply(C).write())


def cache_write_in_input(home):
    return expected(opened(home).reply(Used(1000, 50, 600, 300)).reply(Used(1400, 10, 900, 500)).write())


def reasoning_inside(home):
    return expected(opened(home).reply(Used(1000, 500, 0, 0, 480)).reply(Used(1600, 70, 900, 0, 70)).write())


def no_model(home):
    return expected(Rollout(home, 1).meta().ask("hello", model=None).reply(A).reply(B).write())


def model_changes(home):
    return expected(opened(home).reply(A).ask(model="gpt-6.1-mini").reply(D).ask(model="gpt-6.1-sol").reply(B).write())


def archived_dup(home):
    logs = [opened(home, 1).reply(A).reply(B), opened(home, 2, "record").reply(C).reply(D)]
    for log in logs:
        log.write()
        copy = log.home / "archived_sessions" / log.path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(log.path.read_bytes())
        log.date(copy)
    return expected(*logs)


def _pack(log, keep=False):
    """In two frames, as a client that packs while it appends would leave it."""
    text = log.path.read_bytes()
    packed = log.path.with_name(log.path.name + ".zst")
    half = len(text) // 2
    packed.write_bytes(zstandard.compress(text[:half]) + zstandard.compress(text[half:]))
    if not keep:
        log.path.unlink()
    return log.date(packed)


def zst(home):
    parent = _pack(opened(home, 1, archived=True).reply(A).reply(B).write())
    child = Rollout(home, 2, start=START + timedelta(hours=1)).meta(forked_from_id=parent.id).replay(parent)
    return expected(parent, _pack(child.ask("other way").reply(C).write()))


def zst_twin(home):
    return expected(
        _pack(opened(home, 1).reply(A).reply(B).write(), keep=True),
        _pack(opened(home, 2, "record").reply(C).write(), keep=True),
    )


def paginated(home):
    return expected(opened(home, form="record", ordinals=True).reply(A).reply(B).ask().reply(C).write())


def mixed_restart(home):
    """Three processes, each of another version; the totals go on."""
    log = opened(home).reply(A).reply(B)
    log.now += timedelta(hours=3)
    log.meta().ask("go on").reply(C, "totals").reply(D, "totals")
    log.now += timedelta(hours=3)
    log.meta(cli_version="0.169.0").ask("go on").reply(B, "record").reply(E, "record_only")
    return expected(log.ask().reply(A, "totals").write())


def torn_tail(home):
    log = opened(home).reply(A).reply(B)
    return expected(log.write(json.dumps(log.rows[-1]).encode()[:-40]))


def torn_middle(home):
    """The torn row swallows a counter whose record stands."""
    log = opened(home, form="record").reply(A).reply(B)
    head, swallowed = log.rows[:-1], log.rows[-1]
    log.rows = []
    log.reply(C)
    torn = json.dumps({"timestamp": "2026-11-10T10:00:09.000Z", "type": "response_item"}).encode()[:-9]
    write_rows(log.path, *head, torn, swallowed, *log.lines())
    return expected(log.date(log.path), refused={"bad_json": 1})


def bad_utf8(home):
    log = opened(home).reply(A).ask("CUT", model="gpt-6.1-sol").reply(B).reply(C).write()
    text = log.path.read_bytes().replace(b"CUT", b"caf\xc3")
    log.path.write_bytes(text.replace(b'"plan_type"', b'"\xff\xfe":"\xe2\x28","plan_type"', 1))
    return expected(log.date(log.path))


def long_line(home):
    log = opened(home).reply(A)
    quoted = json.dumps({"type": "token_count", "info": {"total_token_usage": {"input_tokens": 10**6}}})
    log.add("response_item", {"type": "function_call_output", "output": quoted + "x" * 2_000_000 + quoted})
    return expected(log.reply(B).write())


def crlf(home):
    return expected(opened(home).reply(A).reply(B).write(b"\r\n", b"   \r\n", end=b"\r\n"))


def midnight(home):
    log = opened(home, start=datetime(2026, 11, 10, 23, 59, 50, tzinfo=UTC)).reply(A).reply(B).reply(C)
    for row in log.rows:  # the same moments, as a client east of Greenwich could write them
        row["timestamp"] = (datetime.fromisoformat(row["timestamp"]) + timedelta(hours=9)).isoformat()[:23] + "+09:00"
    return expected(log.write(), opened(home, 2, start=datetime(2026, 11, 11, 0, 0, tzinfo=UTC)).reply(D).write())


WHY: dict[object, str] = {
    cumulative: "every counter tells running totals beside the last response's usage",
    dup_token_count: "a counter is sent again with new rate limits",
    no_total_tokens: "usage without total_tokens: what moved can only be seen in the other fields",
    null_info: "counters with null info tell rate limits only",
    only_total: "counters without last: a response is the difference of two totals",
    total_reset: "running totals start again from zero",
    total_drop: "running totals fall at a compaction, but not to zero",
    estimate_total: "only total_tokens: the client's estimate of the context after a compaction",
    usage_record: "a record and a counter tell the same response",
    record_midway: "a file begins with counters only and has records from its middle on",
    record_of_other_thread: "records of another thread are copies",
    compacted_checkpoint: "a compaction repeats the latest record",
    cache_write_in_input: "cached and cache-write tokens are inside input",
    reasoning_inside: "reasoning tokens are inside output",
    no_model: "no row names the model",
    model_changes: "the model changes within a file",
    archived_dup: "the same rollout in sessions and archived_sessions",
    zst: "rollouts packed with zstd, of a fork as well",
    zst_twin: "the same rollout plain and packed",
    paginated: "an ordinal on every row",
    mixed_restart: "resumed by other versions, which tell usage in other ways; the totals go on",
    torn_tail: "the last row is not whole yet",
    torn_middle: "a torn row swallows the next one",
    bad_utf8: "a cut character in the middle of a row",
    long_line: "a row of 2 MB that quotes usage",
    crlf: "lines end in CR LF, some are blank",
    midnight: "offsets other than Z around midnight in UTC",
}


def _trap(build):
    return Trap(build.__name__, "codex", WHY[build], build)


TRAPS: tuple[Trap, ...] = (*map(_trap, WHY), *codex_forks.TRAPS)
