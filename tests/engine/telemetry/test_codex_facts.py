"""What else Codex's rollouts tell: subscription windows, the client's own totals, context, terms, odd usage."""

import json

import pytest

from engine.contract.usage import ClientTotals, RateLimit

THREAD = "01a1fb94-9990-7dc2-aaa2-018b37779d51"
PARENT = "01a1fb94-0000-7dc2-aaa2-018b37779d51"
FILE = f"2026/11/21/rollout-2026-11-21T00-49-42-{THREAD}.jsonl"
NOW_MS = 1794304800000


def row(kind, second=0, **payload):
    return {"type": kind, "timestamp": f"2026-11-10T10:00:{second:02}Z", "payload": payload}


def used(prompt=100, output=10, **more):
    return {"input_tokens": prompt, "output_tokens": output, **more}


def counter(second, total, last=None, limits=None, window=258400):
    info = total and {"total_token_usage": total, "last_token_usage": last or total, "model_context_window": window}
    return row("event_msg", second, type="token_count", info=info, rate_limits=limits)


META = row("session_meta", id=THREAD, model_provider="openai")
FORK = row("session_meta", id=THREAD, forked_from_id=PARENT)


def read(home, *rows):
    home.write(FILE, *rows)
    home.read()
    return home


def limits(home):
    return {limit.name: limit for batch in home.batches for limit in batch.limits}


@pytest.mark.parametrize(
    ("window", "resets_at_ms"),
    [
        ({"resets_at": 1794330000}, 1794330000000),
        ({"resets_in_seconds": 90}, NOW_MS + 91_000),
        ({"resets_at": 10**15}, None),
        ({}, None),
    ],
)
def test_a_subscription_window(codex_home, window, resets_at_ms):
    told = {"primary": {"used_percent": 12.5, "window_minutes": 300, **window}, "secondary": None, "plan_type": "plus"}
    found = limits(read(codex_home, META, counter(1, used(), limits=told)))
    assert found == {"primary": RateLimit("primary", NOW_MS + 1000, 12.5, 300, resets_at_ms, "plus")}


def test_the_latest_window_of_each_name_wins_also_from_rows_without_usage(codex_home):
    first = {"primary": {"used_percent": 1}, "secondary": {"used_percent": 2}}
    other = {"limit_id": "codex_other", "primary": {"used_percent": 50}}
    rows = [counter(3, None, limits={"primary": {"used_percent": 3}}), counter(2, used(), limits=first)]
    found = limits(read(codex_home, META, *rows, counter(4, None, limits=other)))
    assert {name: limit.used_percent for name, limit in found.items()} == {
        "primary": 3,
        "secondary": 2,
        "codex_other:primary": 50,
    }


@pytest.mark.parametrize("odd", [7, [], {"primary": 1}, {"primary": {"used_percent": "most"}}, {"primary": {}}])
def test_a_window_that_cannot_be_understood_costs_no_tokens(codex_home, odd):
    home = read(codex_home, META, counter(1, used(), limits=odd))
    assert (home.totals(), home.refused, limits(home)) == ((100, 0, 0, 10), {}, {})


def test_the_clients_totals_are_those_of_the_last_own_record(codex_home):
    sums = {"cached_input_tokens": 600, "cache_write_input_tokens": 300}
    record = row("token_usage_record", 1, thread_id=THREAD, usage=used(), thread_token_usage=used(1000, 50, **sums))
    other = row("token_usage_record", 2, thread_id=PARENT, usage=used(), thread_token_usage=used(9999))
    (batch,) = read(codex_home, META, record, other, counter(3, used(5000))).batches
    assert batch.parts[0].totals == ClientTotals("thread_token_usage", NOW_MS + 1000, 100, 600, 300, 50)


def test_without_records_the_totals_are_the_counters(codex_home):
    (batch,) = read(codex_home, META, counter(1, used()), counter(2, used(300, 30), used(200, 20))).batches
    assert batch.parts[0].totals == ClientTotals("thread_token_usage", NOW_MS + 2000, 300, 0, 0, 30)


def test_context_is_that_of_the_last_own_response(codex_home):
    estimate = counter(3, used(300, 30, total_tokens=9000), used(0, 0, total_tokens=9000))
    home = read(codex_home, META, counter(1, used()), counter(2, used(300, 30), used(200, 20)), estimate)
    session = home.sessions[THREAD]
    assert (session.context_tokens, session.context_window, session.forked_from) == (220, 258400, None)


def test_copied_rows_say_nothing_about_the_fork_itself(codex_home):
    """The parent is not there; the rows lie in the second of the fork."""
    told = {"primary": {"used_percent": 99}}
    home = read(codex_home, FORK, counter(0, used(), limits=told), counter(1, used(300, 30), limits=told))
    session = home.sessions[THREAD]
    assert (session.context_tokens, session.context_window, session.forked_from) == (None, None, PARENT)
    assert (limits(home), home.batches[0].parts[0].totals) == ({}, None)


def test_copied_windows_are_old_though_stamped_anew(codex_home):
    told = {"primary": {"used_percent": 99}}
    codex_home.write(FILE.replace(THREAD, PARENT), row("session_meta", id=PARENT), counter(0, used()))
    codex_home.read()
    copied = [counter(1, used(), limits=told), counter(2, None, limits=told)]
    home = read(codex_home, FORK, *copied)
    assert (home.dropped, limits(home), home.sessions[THREAD].context_window) == ({"replay": 1}, {}, None)
    home.write(FILE, FORK, *copied, counter(9, used(300, 30), used(200, 20), limits={"primary": {"used_percent": 5}}))
    home.read()
    assert limits(home)["primary"].used_percent == 5


def test_a_subagent_that_copies_nothing_continues_nobody(codex_home):
    spawn = {"subagent": {"thread_spawn": {"parent_thread_id": PARENT}}}
    meta = row("session_meta", id=THREAD, source=spawn)
    home = read(codex_home, meta, counter(30, used()))
    assert (home.sessions[THREAD].forked_from, home.totals()) == (None, (100, 0, 0, 10))


def settings(tier, thread=THREAD):
    return row("event_msg", type="thread_settings_applied", thread_id=thread, thread_settings=tier)


@pytest.mark.parametrize(
    ("rows", "factors"),
    [
        ([], ""),
        ([settings({"service_tier": "flex"})], "flex"),
        ([settings({"service_tier": "flex"}), settings({"model": "m"})], ""),
        ([settings({"service_tier": "fast"}), settings({"service_tier": "flex"}, PARENT)], "fast"),
        ([row("turn_context", model="m", service_tier="priority")], "priority"),
        ([settings({"service_tier": "priority"}), row("turn_context", model="m")], "priority"),
        ([settings({"service_tier": "default"})], ""),
        ([settings({"service_tier": ["x"]})], ""),
    ],
)
def test_the_service_tier_moves_the_price(codex_home, rows, factors):
    (response,) = read(codex_home, META, *rows, counter(1, used())).responses.values()
    assert (response.factors, response.provider) == (factors, "openai")


@pytest.mark.parametrize(
    ("usage", "odd"),
    [
        (used(), False),
        (used(total_tokens=110), False),
        (used(total_tokens=None), False),
        (used(total_tokens=111), True),
        (used(cached_input_tokens=101), True),
        (used(cached_input_tokens=60, cache_write_input_tokens=60), True),
        (used(reasoning_output_tokens=11), True),
        (used(image_tokens=5), True),
        (used(image_tokens=None), True),
    ],
)
@pytest.mark.parametrize("form", ["record", "last", "total"])
def test_odd_usage_is_kept_as_it_was_logged(codex_home, form, usage, odd):
    if form == "record":
        logged = row("token_usage_record", 1, response_id="r", usage=usage)
    elif form == "last":
        logged = counter(1, used(900), usage)
    else:
        logged = row("event_msg", 1, type="token_count", info={"total_token_usage": usage})
    (response,) = read(codex_home, META, logged).responses.values()
    assert response.output_tokens == 10
    assert (response.raw and json.loads(response.raw)) == (usage if odd else None)


def test_usage_with_unknown_keys_and_bad_counts_is_refused(codex_home):
    home = read(codex_home, META, counter(1, used(-5)), counter(2, used(2**50)), counter(3, used("many")))
    assert (home.responses, home.refused) == ({}, {"bad_count": 2, "bad_row": 1})
