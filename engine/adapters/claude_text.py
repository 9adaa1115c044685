"""What has Claude Code said so far? Each piece of text once, although it is told in deltas and again as a whole."""

from engine.contract.progress import Progress, Said, Thought


class Text:
    """Puts it together, whether it comes in deltas, whole, or both ways."""

    def __init__(self) -> None:
        self._streamed: set[str] = set()
        self._block: tuple[str | None, int] | None = None
        self._ended = True
        """Whether what was said so far needs no break before more."""
        self._so_far: list[str] = []

    @property
    def so_far(self) -> str:
        """What was said since the last turn that ended well."""
        return "".join(self._so_far)

    def over(self) -> None:
        """A turn has ended well: what was said in it is told again as its result."""
        self._so_far.clear()

    def more(self, name: str | None, index: int, text: str, thinking: str) -> list[Progress]:
        """A delta."""
        if name is not None and (text or thinking):
            self._streamed.add(name)
        goes_on = self._block == (name, index)
        if text:
            self._block = (name, index)
        return self._pieces(text, thinking, goes_on=goes_on)

    def whole(self, name: str | None, text: str, thinking: str) -> list[Progress]:
        """A block, which deltas may have told before."""
        return [] if name in self._streamed else self._pieces(text, thinking, goes_on=False)

    def _pieces(self, text: str, thinking: str, *, goes_on: bool) -> list[Progress]:
        pieces: list[Progress] = [Thought(thinking)] if thinking else []
        if text:
            pieces.append(Said(text if goes_on or self._ended else f"\n\n{text}"))
            self._ended = text.endswith("\n")
        self._so_far += [piece.text for piece in pieces if isinstance(piece, Said)]
        return pieces
