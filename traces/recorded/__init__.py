"""Recorded requests: their bodies, headers, chat messages and spans."""
