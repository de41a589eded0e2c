"""Prompts as salted hashes, which reveal only which prompts share a prefix.

The bytes of a prompt are cut into blocks of 512. The hash of block i is the first 8 bytes of
HMAC-SHA256(key, hash of block i - 1, block i), so that equal hashes mean equal prefixes, as Mooncake's
block ids do. The key is random, exists only in the memory of one recording, and is never written. Without
it nobody can test whether a prompt had a certain text.
"""

import hmac
import os
from typing import Any, Final

import msgspec

BLOCK_BYTES: Final = 512
HASH_BYTES: Final = 8


class PromptHasher:
    """Hasher of prompts with one key, which is random by default."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = os.urandom(32) if key is None else key

    def hashes(self, prompt: bytes) -> list[int]:
        """Return the chained hashes of a prompt's blocks, int64; the last block may be shorter."""
        chain = bytes(HASH_BYTES)
        told = []
        for start in range(0, len(prompt), BLOCK_BYTES):
            block = prompt[start : start + BLOCK_BYTES]
            chain = hmac.digest(self._key, chain + block, "sha256")[:HASH_BYTES]
            told.append(int.from_bytes(chain, "little", signed=True))
        return told


def prompt_bytes(request: Any) -> bytes:
    """Return the parts of a decoded request body that a prefix cache could share, in the order of the prompt.

    For a chat: its tools and then each message, as compact JSON. For ``prompt`` or ``input``: texts in UTF-8, or token
    ids as 4 bytes each. Other bodies have no parts.
    """
    if not isinstance(request, dict):
        return b""
    messages = request.get("messages")
    if isinstance(messages, list):
        parts = [request["tools"], *messages] if request.get("tools") else messages
        return b"".join(msgspec.json.encode(part) + b"\n" for part in parts)
    return _flat(request.get("prompt", request.get("input")))


def _flat(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, list):
        if all(isinstance(item, int) for item in value):
            return b"".join((item & 0xFFFFFFFF).to_bytes(4, "little") for item in value)
        return b"\0".join(_flat(item) for item in value)
    return b""
