"""Composing the requests of a profile, whose bodies are encoded once and sent repeatedly."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...traces.content import Content
from ..plan import Plan
from .composer import Composer
from .endpoints import BodyCompleter, Endpoint


class ProfileComposer(Composer):
    """Composer of the HTTP request of any row of a profile's plan; each body is encoded when it is first needed.

    Args:
        plan: The plan, whose rows have indices of content, model and server.
        contents: The different contents.
        endpoint: The API, which defines the bodies' form.
        completions: For each model, the additional fields of its bodies.
        heads: For each server and model, the request's head up to the length.
        ask_minimum: Whether bodies also request the length as a minimum (``min_tokens``).
    """

    def __init__(
        self,
        plan: Plan,
        contents: Sequence[Content],
        endpoint: Endpoint,
        completions: Sequence[BodyCompleter],
        heads: Sequence[Sequence[bytes]],
        *,
        ask_minimum: bool = False,
    ) -> None:
        assert plan.source is not None
        self._source, self._model, self._server = plan.source, plan.model, plan.server
        self._output_tokens = plan.output_tokens
        self._contents, self._endpoint = contents, endpoint
        self._completions, self._heads, self._ask_minimum = completions, heads, ask_minimum
        self._bodies: dict[tuple[int, int], bytes] = {}

    def body(self, row: int) -> bytes:
        """Return the JSON body of a row."""
        key = int(self._source[row]), 0 if self._model is None else int(self._model[row])
        body = self._bodies.get(key)
        if body is None:
            body = self._bodies[key] = self._encoded(*key, int(self._output_tokens[row]))
        return body

    def _encoded(self, entry: int, model: int, output_tokens: int) -> bytes:
        fields: Mapping[str, Any] = self._endpoint.content(self._contents[entry])
        if self._ask_minimum and output_tokens:
            fields = {"min_tokens": output_tokens, **fields}
        return self._completions[model].compose(fields, output_tokens or None)

    def request(self, row: int) -> bytes:
        """Return head and body of a row."""
        body = self.body(row)
        head = self._heads[0 if self._server is None else int(self._server[row])]
        return b"%b%d\r\n\r\n%b" % (head[0 if self._model is None else int(self._model[row])], len(body), body)
