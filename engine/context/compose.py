"""What goes into this prompt, and what does each part cost? Stable parts first, what changes last."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import msgspec

from engine.config.params import fill
from engine.context.fill import Words, uses
from engine.context.inject import Counted, InjectedFile, counted
from engine.context.skills import metadata_line
from engine.contract.launch import OPENING, Part, PartKind, Prompt
from engine.contract.route import Route
from engine.contract.verdict import CacheBreak, ReceiptPart, ReceiptView
from state.skills import Skill

BOOTSTRAP = "bootstrap template"
PROMPT = "prompt template"


def compose(
    route: Route,
    words: Words,
    *,
    instructions: InjectedFile | None = None,
    skills: Sequence[Skill] = (),
    files: Sequence[InjectedFile] = (),
) -> Prompt:
    """The prompt of one run. What is not given here is not sent."""
    parts: list[Part] = []
    if instructions is not None:
        parts.append(_file("instructions", instructions))
    if route.bootstrap_template:
        parts.append(_part("bootstrap", BOOTSTRAP, fill(route.bootstrap_template, words.opening)))
    if skills:
        parts.append(_part("skills", ", ".join(skill.name for skill in skills), _offer(skills)))
    if route.tools:
        parts.append(_part("tools", "tools", f"Tools you may use: {', '.join(route.tools)}"))
    parts += [_file("file", file) for file in files]
    return Prompt((*parts, *_last(route, words)))


def _last(route: Route, words: Words) -> list[Part]:
    """What goes with every prompt: a template, after all stable parts when it changes from run to run, and the task."""
    parts: list[Part] = []
    if route.prompt_template:
        stable = not uses(route.prompt_template)
        parts.append(_part("prompt", PROMPT, fill(route.prompt_template, words.every), stable=stable))
    if route.task:
        parts.append(_part("task", "task", route.task, stable=False))
    return parts


def not_again(prompt: Prompt, already: Collection[tuple[str, str, str]]) -> Prompt:
    """The same without sending again what opened the conversation that goes on.

    `already`: kind, source and hash of what it was sent. What has changed since is sent again.
    """

    def held(part: Part) -> bool:
        return part.kind in OPENING and (part.kind, part.source, part.sha256) in already

    return Prompt(tuple(msgspec.structs.replace(part, sent=False) if held(part) else part for part in prompt.parts))


GO_ON = "Go on where you were stopped: the budget that was used up then has room again."
"""All that a run is told that goes on in its conversation: that holds the rest."""


def going_on(prompt: Prompt) -> Prompt:
    """The same for a conversation that was stopped in the middle of it: nothing is sent again, only that it goes on."""
    held = tuple(msgspec.structs.replace(part, sent=False) for part in prompt.parts)
    return Prompt((*held, _part("task", "go on", GO_ON, stable=False)))


def all_again(prompt: Prompt) -> Prompt:
    """The same for a conversation that holds nothing of it."""
    parts = (part for part in prompt.parts if part.source != "go on" or part.kind != "task")
    return Prompt(tuple(msgspec.structs.replace(part, sent=True) for part in parts))


def receipt_parts(prompt: Prompt) -> tuple[ReceiptPart, ...]:
    """The parts without their texts."""
    return tuple(
        ReceiptPart(part.kind, part.source, len(part.text), part.tokens, part.sha256, part.stable, part.sent)
        for part in prompt.parts
    )


def receipt(
    prompt: Prompt,
    *,
    everything_tokens: int | None = None,
    cache_break: CacheBreak | None = None,
    decided: Mapping[str, str] | None = None,
) -> ReceiptView:
    """What is kept of a prompt."""
    return ReceiptView(
        parts=receipt_parts(prompt),
        tokens=prompt.tokens,
        chars=prompt.chars,
        everything_tokens=everything_tokens,
        cache_break=cache_break,
        decided=dict(decided or {}),
    )


def encoded_parts(view: ReceiptView) -> str:
    return msgspec.json.encode(view.parts).decode()


def decoded_parts(parts: str) -> tuple[ReceiptPart, ...]:
    """The parts of a stored receipt."""
    return msgspec.json.decode(parts, type=tuple[ReceiptPart, ...])


def _offer(skills: Sequence[Skill]) -> str:
    lines = [metadata_line(skill.name, skill.description, skill.path) for skill in skills]
    return "Skills you may read and use:\n" + "\n".join(lines)


def _file(kind: PartKind, file: InjectedFile) -> Part:
    return Part(kind, file.name, file.text, file.tokens, file.sha256, stable=True)


def _part(kind: PartKind, source: str, text: str, *, stable: bool = True) -> Part:
    known = _kept(text) if stable else counted(text)
    return Part(kind, source, text, known.tokens, known.sha256, stable)


@lru_cache(maxsize=64)
def _kept(text: str) -> Counted:
    """What stays the same is counted once, however often a preview asks."""
    return counted(text)
