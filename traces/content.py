"""The content of one request, before an API gives it its form."""

from typing import Any

import msgspec


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request's content.

    Attributes:
        text: One prompt.
        texts: A batch (embeddings), or the passages of a ranking.
        query: Of a ranking.
        system: The system prompt.
        messages: OpenAI chat messages, as recorded.
        images: URLs (data: or http) beside the text.
        payload: A body of the user's own: its fields win over all others.
        output_tokens: To ask for, where the row says.
        model: Where the row says.
    """

    text: str | None = None
    texts: tuple[str, ...] | None = None
    query: str | None = None
    system: str | None = None
    messages: tuple[dict[str, Any], ...] | None = None
    images: tuple[str, ...] | None = None
    payload: dict[str, Any] | None = None
    output_tokens: int | None = None
    model: str | None = None
