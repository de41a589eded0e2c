"""Requests: bodies and heads, and the APIs that define their form."""
