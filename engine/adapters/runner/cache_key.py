"""By what does OpenAI find requests that begin alike? The same for all conversations that open with the same words."""

import hashlib

from engine.adapters.runner.job import Job


def cache_key(job: Job) -> str:
    """Of what every request of this model begins with."""
    opening = "\0".join((job.model, *job.tools, *(part.text for part in job.system)))
    return "qd-" + hashlib.sha256(opening.encode("utf-8", "replace")).hexdigest()[:32]
