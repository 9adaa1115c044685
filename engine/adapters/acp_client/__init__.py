"""How does one speak with any agent over the Agent Client Protocol? A program of our own, a child like any other.

It starts the agent as its subprocess, opens a session, sends the prompt, answers what the agent asks, and tells what
goes on. What comes in and goes out, line by line, is in `lines`; the protocol itself is left to its library, which is
imported in `conduct` and `client` alone.
"""
