"""What will this run use? Its prompt exactly; its answer by declaration, until there is a history to go by."""

from engine.contract.verdict import Estimate


def estimate(prompt_tokens: int, answer_tokens: int) -> Estimate:
    """The estimate that admission reserves. `answer_tokens` is `limits.output_tokens`."""
    return Estimate(prompt_tokens=prompt_tokens, answer_tokens=answer_tokens, basis="declared")
