"""What is the prompt of a routed run, and what is wrong with it? Reads files and counts, so it belongs in a thread."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from engine.config.model import Config
from engine.context.compose import compose
from engine.context.everything import Piece, everything
from engine.context.fill import Words
from engine.context.inject import InjectedFile, InjectProblem, read_injected
from engine.context.skill_set import SkillProblem, allowed, names_of
from engine.contract.launch import Prompt
from engine.contract.route import Route
from state.skills import Skill


class Assembled(Struct, frozen=True):
    """A prompt with all that went into it."""

    prompt: Prompt
    files: tuple[InjectedFile, ...]
    """Without the instructions."""
    inject_problems: tuple[InjectProblem, ...]
    skills: tuple[Skill, ...]
    """Those that the prompt offers."""
    skill_problems: tuple[SkillProblem, ...]
    everything: tuple[Piece, ...]
    """What the prompt would have if everything that could be injected were."""

    @property
    def everything_tokens(self) -> int:
        return sum(piece.tokens for piece in self.everything)


def assemble(route: Route, config: Config, workspace: Path, words: Words, found: Sequence[Skill]) -> Assembled:
    """`found`: every skill on this machine that this workspace sees."""
    opening = config.agents[route.agent].instructions
    names = [name for name in route.inject if name != opening]
    instructions, missing = read_injected(workspace, (opening,) if opening else (), config.limits.file_tokens)
    files, problems = read_injected(workspace, names, config.limits.file_tokens)
    opened = {file.path for file in instructions}
    files = [file for file in files if file.path not in opened]
    skills, skill_problems = allowed(names_of(config, route.skills), found)
    first = instructions[0] if instructions else None
    prompt = compose(route, words, instructions=first, skills=skills, files=files)
    return Assembled(
        prompt=prompt,
        files=tuple(files),
        inject_problems=(*missing, *problems),
        skills=tuple(skills),
        skill_problems=tuple(skill_problems),
        everything=tuple(everything(workspace, prompt, found)),
    )
