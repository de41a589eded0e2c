"""Prompts with the recorded lengths and shared prefixes."""
