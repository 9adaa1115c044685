"""A model server on loopback for tests with real clients: it answers as the marks in a prompt, or a script, tell it to.

    with ModelServer() as server:
        subprocess.run(["claude", "-p", "hi [[say:hello]]"], env=clean_env(home, bin_folder, server, "claude"))
        assert server.billed().output_tokens == 2

Marks count in the last thing that the user said, not where a request for a title quotes it; without one it says "ok".
`:N` at the end, where the table has it, makes a mark hold for the first N requests with this prompt in this session.

| mark | does |
|---|---|
| `[[say:TEXT]]` | answers this text |
| `[[tool:NAME:JSON]]` | calls a tool; several: one after the other, each after the result before; then the say |
| `[[think:TEXT]]` | reasons so before it answers |
| `[[big:CHARS]]` | answers so many characters |
| `[[max_tokens]]` | gives the length as the reason to stop |
| `[[usage:in=1,out=2,read=3,write=4]]` | reports and bills just this; also `write1h` (of write), `reasoning` (of out) |
| `[[error:STATUS]]`, `[[error:STATUS:N]]` | answers this HTTP status, which costs nothing |
| `[[retryafter:SECONDS]]` | with an error: the Retry-After header |
| `[[hang:headers]]`, `[[hang:mid]]`, `:N` | says nothing at all; or half of the answer, and then nothing |
| `[[drop:headers]]`, `[[drop:mid]]`, `:N` | closes the connection before the answer; or after half of it |
| `[[malformed]]`, `:N` | a frame that is no JSON in the middle; a plain answer is no JSON as a whole |
| `[[sseerror:TYPE]]`, `:N` | an error event after half of the answer; a plain answer is a status 500 of this type |
| `[[delay:MS]]` | before the headers |
| `[[slow:MS]]` | before each delta |

An unknown or broken mark is answered with status 400. How tokens are counted: `asked`; what a prompt's cache costs:
`cache`; what is written down of each request: `record`; the environment for a real client: `clients`.
"""

from tests.modelserver.asked import Asked, Usage
from tests.modelserver.clients import clean_env, client, refused_url
from tests.modelserver.record import Record
from tests.modelserver.reply import Reply, Script, ToolCall
from tests.modelserver.server import ModelServer

__all__ = [
    "Asked",
    "ModelServer",
    "Record",
    "Reply",
    "Script",
    "ToolCall",
    "Usage",
    "clean_env",
    "client",
    "refused_url",
]
