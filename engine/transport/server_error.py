"""Converting a server's error to one line."""

import json
import re
from http import HTTPStatus
from typing import Any

LONGEST = 500


def error_text(body: bytes) -> str:
    """Return the message of an error body, at most 500 characters in one line.

    Supports the forms of OpenAI (``{"error": {"message": …}}``), FastAPI (``{"detail": …}``, a text or a list of
    ``{"loc", "msg"}``), plain ``{"message": …}``, HTML pages (their title) and text.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        told = _from_json(json.loads(text))
    except (ValueError, RecursionError):
        told = _from_html(text) if text[:1] == "<" else text
    return " ".join((told or text).split())[:LONGEST]


def status_text(status: int) -> str:
    """Return a text for an empty error body."""
    if 300 <= status < 400:
        return "the server redirects, and redirects are not followed: give the URL that it redirects to"
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "an unknown status"
    return f"{phrase}, without a message"


def _from_json(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for key in ("error", "message", "detail", "msg"):
            if value.get(key):
                told = _from_json(value[key])
                place = value.get("loc")
                return f"{'.'.join(map(str, place))}: {told}" if isinstance(place, list) else told
    if isinstance(value, list) and value:
        return "; ".join(_from_json(item) for item in value[:3])
    return json.dumps(value)


def _from_html(text: str) -> str:
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    return f"an HTML page: {title[1].strip()}" if title else "an HTML page: " + re.sub(r"<[^>]*>", " ", text)
