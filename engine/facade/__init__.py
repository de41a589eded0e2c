"""Tokentape replays recorded LLM traffic against a server and stamps every token as it arrives."""

__version__ = "0.1.0"
