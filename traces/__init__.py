"""Recorded requests: readers of every format, transformations, prompts."""
