"""Does every action of a budget do what it says: warn, ask, refuse, pause? And what of a price that nobody knows?"""

from engine.contract.clock import SystemClock
from engine.contract.orders import Decide, RunRequest
from engine.contract.verdict import WaitsFor
from engine.proof.desk import NotTripped, Site, need
from engine.proof.drills_prompt import PRICED, UNHEARD_OF
from engine.proof.drills_windows import steady_now
from engine.proof.trip import (
    REFUSED,
    Drill,
    Found,
    admitted,
    question_of,
    ran_well,
    refusal,
    refused,
    said,
    stopped,
    succeeds,
    untouched,
)
from state import ledger, runs
from state.entries import QUARTER_MS
from state.errors import Refused

SMALL, ROOMY = 50, 10_000
"""Tokens: less than any run here needs, and enough for several."""


def agent(name: str, limit: str, action: str = "refuse", window: str = "day") -> str:
    """An agent, and a budget of the same name that counts it alone. `limit` is a line of TOML."""
    return (
        f'[agent.{name}]\nadapter = "command"\nargv = ["true"]\n'
        f'[budget.{name}]\nwindow = "{window}"\n{limit}\nagent = "{name}"\naction = "{action}"\n'
    )


def _tokens(name: str, tokens: int, action: str) -> str:
    return agent(name, f"tokens = {tokens}", action)


def _warn(site: Site) -> Found:
    answer = admitted(site, site.request(agent="drill_warn"))
    check = next(check for check in answer.verdict.checks if check.name == "budget")
    need("is over its limit" in check.warning, f"run {answer.run} passed without a warning, with '{check.warning}'")
    return Found(f"budget, as a warning: {check.warning}", (said(check), f"all the same {ran_well(site, answer.run)}"))


def _spends_nothing(site: Site) -> Found:
    scope = ledger.Filter(agent="drill_spent")
    line = ledger.Line("drill_spent", "tokens", ROOMY, 0, 2**52 // QUARTER_MS * QUARTER_MS, scope=scope)
    found = refused(site, "scope", "outside", site.request(agent="drill_spent", can_write=("../out.md",)))
    book = ledger.book(site.books, line)
    need(book == ledger.Book(), f"a refused run has moved its budget: {book}")
    control = succeeds(site, site.request(agent="drill_spent"))
    spent = ledger.book(site.books, line).committed
    need(spent > 0, "a run that succeeded has not moved its budget")
    need(not ledger.replay(site.books), "the ledger's balances are not what its entries add up to")
    moved = (f"its budget has nothing held, committed or overrun; {spent:,} committed when {control}",)
    return Found(found.stopped_by, (*found.evidence, *moved, "every balance is what its entries add up to"))


def _refuse(site: Site) -> Found:
    request = site.request(agent="drill_refuse")
    found = refused(site, "budget", "drill_refuse", request)
    site.configure(_tokens("drill_refuse", ROOMY, "refuse"))
    return Found(found.stopped_by, (*found.evidence, f"with the budget raised: {succeeds(site, request)}"))


def _kept(site: Site, request: RunRequest, waits_for: WaitsFor) -> tuple[runs.Run, Found]:
    """This run is stopped by a budget and kept, holding nothing."""
    answer = site.ask(request)
    check = stopped(answer, "budget")
    need(answer.waits_for == waits_for, f"run {answer.run} waits for {answer.waits_for}, not for {waits_for}")
    run = site.run(answer.run)
    need(run.state == "waiting", f"run {run.id} is '{run.state}', not waiting")
    return run, Found(said(check), (f"run {run.id} waits for {waits_for}: {untouched(site, run)}",))


def _refused_later(site: Site, run_id: int, words: str) -> str:
    run = site.ended(run_id)
    need(run.outcome == "refused", f"run {run_id} ended '{run.outcome}', where it had to be refused")
    need(words in (run.why or ""), f"run {run_id} is refused, but because: {run.why}")
    return f"run {run_id} is refused, {run.why}: {untouched(site, run)}"


def _deny(site: Site) -> Found:
    run, found = _kept(site, site.request(agent="drill_deny"), "approval")
    asked = question_of(site, run.id)
    site.desk.order("decide", Decide(asked.id, False, asked.sha256))
    return Found(found.stopped_by, (*found.evidence, _refused_later(site, run.id, "denied by the operator")))


def _approve(site: Site) -> Found:
    steady_now(site)
    run, found = _kept(site, site.request(agent="drill_approve"), "approval")
    asked = question_of(site, run.id)
    other = _not_taken(site, Decide(asked.id, True, "0" * 64))
    need(site.run(run.id).state == "waiting", f"run {run.id} was let go by the answer to another question")
    site.desk.order("decide", Decide(asked.id, True, asked.sha256))
    passed = ran_well(site, run.id)
    evidence = (f"the answer to another question: {other}", f"approved by the operator: {passed}")
    next_run, _ = _kept(site, site.request(agent="drill_approve"), "approval")
    return Found(
        found.stopped_by, (*found.evidence, *evidence, f"the next one, run {next_run.id}, is asked about again")
    )


def _not_taken(site: Site, word: Decide) -> str:
    """Why the engine does not take this answer. Raises NotTripped when it does."""
    try:
        site.desk.order("decide", word)
    except Refused as error:
        return str(error)
    raise NotTripped(f"the engine took an answer to question {word.approval_id} that it must not take")


def _expire(site: Site) -> Found:
    run, found = _kept(site, site.request(agent="drill_expire"), "approval")
    asked = question_of(site, run.id)
    site.until(lambda: SystemClock().now_ms() >= asked.expires_ms, "the time to answer is over")
    late = _not_taken(site, Decide(asked.id, True, asked.sha256))
    site.configure(_tokens("drill_expire", SMALL + 1, "ask"))  # an edit has the engine look at once at what waits
    refused_run = _refused_later(site, run.id, "nobody answered in time")
    return Found(found.stopped_by, (*found.evidence, f"an answer that comes too late: {late}", refused_run))


def _pause(site: Site) -> Found:
    run, found = _kept(site, site.request(agent="drill_pause"), "budget")
    site.configure(_tokens("drill_pause", ROOMY, "pause"))
    return Found(found.stopped_by, (*found.evidence, f"when the budget was raised: {ran_well(site, run.id)}"))


DRILLS = (
    Drill(
        "refused",
        ("refused", "scope"),
        "a run that its scope refuses, under a budget with room",
        "the ledger does not move",
        _spends_nothing,
        _tokens("drill_spent", ROOMY, "refuse"),
    ),
    Drill(
        "budget.warn",
        ("warn", "budget"),
        "a run over a budget that only warns",
        "it passes, and the verdict says so",
        _warn,
        _tokens("drill_warn", SMALL, "warn"),
    ),
    Drill(
        "budget.refuse",
        ("refuse", "budget"),
        "a run over a budget that refuses",
        REFUSED,
        _refuse,
        _tokens("drill_refuse", SMALL, "refuse"),
    ),
    Drill(
        "budget.deny",
        ("ask", "budget"),
        "a run over a budget that asks; the operator denies it",
        "waits for the word, holding nothing, and is refused",
        _deny,
        _tokens("drill_deny", SMALL, "ask"),
    ),
    Drill(
        "budget.approve",
        ("ask", "budget"),
        "a run over a budget that asks; another question is answered, then this one approved",
        "only the right answer lets it run, and it alone",
        _approve,
        _tokens("drill_approve", SMALL, "ask"),
    ),
    Drill(
        "budget.expire",
        ("ask", "budget"),
        "a run over a budget that asks; nobody answers in time",
        "refused, and an answer that comes later is not taken",
        _expire,
        _tokens("drill_expire", SMALL, "ask"),
        replaces={"waiting": '[waiting]\napproval = "1s"\n'},
    ),
    Drill(
        "budget.pause",
        ("pause", "budget"),
        "a run over a budget that pauses; the budget is raised",
        "waits for room, holding nothing, and goes on",
        _pause,
        _tokens("drill_pause", SMALL, "pause"),
    ),
    Drill(
        "budget.unpriced",
        ("budget", "microusd"),
        "a model whose price nobody knows, under a budget in dollars",
        REFUSED,
        refusal(
            "budget",
            "price of this run is not known",
            {"agent": "drill_unpriced", "model": UNHEARD_OF},
            {"agent": "drill_unpriced", "model": PRICED},
        ),
        agent("drill_unpriced", "usd = 1.0"),
    ),
)
