"""What one request says, before any API gives it a form."""

from typing import Any

import msgspec


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    text: str | None = None  # one prompt
    texts: tuple[str, ...] | None = None  # a batch (embeddings), or the passages of a ranking
    query: str | None = None  # of a ranking
    system: str | None = None
    messages: tuple[dict[str, Any], ...] | None = None  # OpenAI chat messages, as recorded
    images: tuple[str, ...] | None = None  # URLs (data: or http) beside the text
    payload: dict[str, Any] | None = None  # a body of the user's own: its fields win over all others
    output_tokens: int | None = None  # to ask for, where the row says
    model: str | None = None
