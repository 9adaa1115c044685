"""Which API is meant by this name?"""

from engine.adapters.runner import anthropic, chat, ollama, responses
from engine.adapters.runner.job import Api
from engine.adapters.runner.wire import Wire

WIRES: dict[Api, Wire] = {
    "anthropic": anthropic.WIRE,
    "responses": responses.WIRE,
    "chat": chat.WIRE,
    "ollama": ollama.WIRE,
}
