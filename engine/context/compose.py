"""What goes into this prompt, and what does each part cost? Stable parts first, what changes last."""

import hashlib
from collections.abc import Sequence

import msgspec

from engine.context.inject import InjectedFile
from engine.context.skills import metadata_line
from engine.contract.launch import Part, PartKind, Prompt
from engine.contract.verdict import ReceiptPart, ReceiptView
from engine.tokens.count import count_tokens
from state.skills import Skill


def compose(
    *, instructions: InjectedFile | None, skills: Sequence[Skill], files: Sequence[InjectedFile], task: str
) -> Prompt:
    """The prompt of one run. What is not given here is not sent."""
    parts: list[Part] = []
    if instructions is not None:
        parts.append(_part("instructions", instructions.name, instructions.text, stable=True))
    if skills:
        lines = [metadata_line(skill.name, skill.description, skill.path) for skill in skills]
        names = ", ".join(skill.name for skill in skills)
        parts.append(_part("skills", names, "Skills you may read and use:\n" + "\n".join(lines), stable=True))
    parts += [_part("file", file.name, file.text, stable=True) for file in files]
    if task:
        parts.append(_part("task", "task", task, stable=False))
    return Prompt(parts=tuple(parts))


def receipt(prompt: Prompt) -> ReceiptView:
    """The same without the texts: what is kept of a prompt."""
    parts = tuple(
        ReceiptPart(part.kind, part.source, len(part.text), part.tokens, part.sha256, part.stable)
        for part in prompt.parts
    )
    return ReceiptView(parts=parts, tokens=prompt.tokens, chars=prompt.chars)


def encoded_parts(view: ReceiptView) -> str:
    return msgspec.json.encode(view.parts).decode()


def _part(kind: PartKind, source: str, text: str, *, stable: bool) -> Part:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Part(kind, source, text, count_tokens(text).tokens, digest, stable)
