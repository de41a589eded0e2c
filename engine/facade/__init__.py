"""Tokentape replays recorded LLM traffic against a server and stamps every token as it arrives."""
