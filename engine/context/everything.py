"""What would this prompt have if everything that could be injected were, as clients do on every turn?

That is every Markdown file at the top of the workspace, the instruction files of the agent CLIs, and a line for every
skill that is found.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from engine.context.inject import FILE_CAP_BYTES, counted
from engine.context.skills import metadata_line
from engine.context.stamp import Stamp, settled, stamp_of
from engine.contract.launch import Prompt
from state.skills import Skill

INSTRUCTION_FILES = (".claude/CLAUDE.md", ".codex/AGENTS.md", ".gemini/GEMINI.md")
"""Beside those at the top of the workspace."""


class Piece(Struct, frozen=True):
    """What one source would add to every prompt."""

    kind: str
    source: str
    chars: int
    tokens: int


def everything(workspace: Path, prompt: Prompt, skills: Sequence[Skill]) -> list[Piece]:
    """What the prompt has without its skills, whether it is sent again or not, then what it leaves out."""
    pieces = [
        Piece(part.kind, part.source, len(part.text), part.tokens) for part in prompt.parts if part.kind != "skills"
    ]
    root = _resolved(workspace)
    known = {_resolved(root / part.source) for part in prompt.parts if part.kind in ("file", "instructions")}
    for path in _instruction_files(root):
        resolved = _resolved(path)
        if resolved not in known and resolved.is_relative_to(root) and (size := _size(resolved)):
            known.add(resolved)
            pieces.append(Piece("file", str(path.relative_to(root)), *size))
    return pieces + [Piece("skill", skill.name, len(_line(skill)), skill.meta_tokens) for skill in skills]


def _line(skill: Skill) -> str:
    return metadata_line(skill.name, skill.description, skill.path)


def _instruction_files(root: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in root.iterdir() if path.suffix.lower() == ".md")
    except OSError:
        return
    yield from (root / name for name in INSTRUCTION_FILES)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a link to itself
        return path


def _size(path: Path) -> tuple[int, int] | None:
    """Characters and tokens; None for what could not be injected anyway."""
    try:
        if not path.is_file():
            return None
        stamp = stamp_of(path.stat())
        if stamp[2] > FILE_CAP_BYTES:
            return None
        return _kept(path, stamp) if settled(stamp) else _counted(path)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _kept(path: Path, stamp: Stamp) -> tuple[int, int]:
    return _counted(path)


def _counted(path: Path) -> tuple[int, int]:
    known = counted(path.read_bytes().decode("utf-8", "replace"))
    return len(known.text), known.tokens
