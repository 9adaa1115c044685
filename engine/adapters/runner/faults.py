"""What can go wrong with a turn? Each says what it means for the run.

Fault                the turn fails
  NoConversation     the conversation is not there
  Unavailable        the model cannot be reached, or does not serve us
  Again              the same, but it may do so in a while
Malformed            an answer that nobody can read
Declined             an error in the middle of an answer
"""


class Fault(Exception):
    """The turn fails; its text is why, in one line."""


class NoConversation(Fault):
    """The conversation is not there (any more)."""


class Unavailable(Fault):
    """The model cannot be reached, or does not serve us."""


class Again(Unavailable):
    """It may be worth asking again."""

    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s
        """How long the server wants us to wait; None when it does not say."""


class Malformed(Exception):
    """An answer that nobody can read."""


class Declined(Exception):
    """The provider's own error in the middle of an answer."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind


PASSING = frozenset(
    {"overloaded_error", "rate_limit_error", "api_error", "timeout_error", "server_error", "rate_limit_exceeded"}
)
"""Kinds of errors that may not come again."""
