"""How does one ask a model over HTTP? A small program: one job comes in, one turn of a conversation takes place.

    python -P -m engine.adapters.runner [count] < job.json

Its input is one JSON object, a `job.Job`. The key is in the environment variable that the job names, and nowhere else.
Its output is one JSON object a line, told apart by `type`: what `engine.contract.progress` has for what happens
(`began`, `said`, `thought`, `tool_use`, `tool_done`, `noted`), and from `lines`

- `used`: what all requests together have used so far; the last such line holds. `told` is how many requests told their
  usage, `untold` how many did not: for those it has an estimate of four bytes a token. `partial`: a request was cut
  short, or is on its way, so that what it told is not all. `raw` is each request's usage as it was reported.
- `ended`: always the last line. Where there is none, the program was killed.

The answer is what was said after the last tool was done. Exit codes: 0 it answered, 1 it did not, 2 the job makes no
sense, 3 the conversation is not there. SIGTERM ends it: what was used is told, and the turn is kept as interrupted.

`count` asks the provider how many tokens the first request has, and prints `{"input_tokens": N}`; null where the
provider cannot say.

It must start quickly: nothing here imports the engine's database, tokenizer or configuration.
"""
