"""Checking once, and briefly, whether the Hugging Face hub can be reached.

The hub's library retries five times over half a minute before it reports that it is offline.
"""

from __future__ import annotations

import os
import socket
import threading
from functools import lru_cache
from urllib.parse import urlsplit

WAIT_S = 3.0


def hub_address() -> str:
    """Return the hub's address: HF_ENDPOINT, or huggingface.co."""
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def hub_is_off() -> bool:
    """Return whether the user has disabled the hub with HF_HUB_OFFLINE=1."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def hub_is_reachable() -> bool:
    """Return whether a connection to the hub, or to the proxy in front of it, is accepted within three seconds."""
    proxy = next((os.environ[name] for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY") if os.environ.get(name)), "")
    return not hub_is_off() and _accepts(proxy or hub_address())


@lru_cache(maxsize=4)
def _accepts(url: str) -> bool:
    parts = urlsplit(url if "//" in url else f"//{url}")
    answers: list[bool] = []

    def connect() -> None:  # in a thread, because name resolution has no timeout
        try:
            port = parts.port or (80 if parts.scheme == "http" else 443)
            socket.create_connection((parts.hostname or "", port), timeout=WAIT_S).close()
            answers.append(True)
        except (OSError, ValueError):
            answers.append(False)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    return answers == [True]
