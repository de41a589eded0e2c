"""ProfileContents requests: a profile's bodies, encoded once and sent again and again."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...traces.content import Content
from ..plan import Plan
from .composer import Composer
from .endpoints import BodyCompleter, Endpoint


class ProfileComposer(Composer):
    """Makes the HTTP request of any row of a profile's plan; each different body is encoded when it is first needed.

    Args:
        plan: Its rows say which content, model and server.
        contents: What the different requests say.
        endpoint: Gives them their form.
        completions: For each model, the fields that its bodies have in addition.
        heads: Of each server and model: the request's head, up to the length.
        ask_minimum: Bodies ask for at least as many tokens as at most (``min_tokens``).
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
        """The JSON body of a row."""
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
        """Head and body of a row."""
        body = self.body(row)
        head = self._heads[0 if self._server is None else int(self._server[row])]
        return b"%b%d\r\n\r\n%b" % (head[0 if self._model is None else int(self._model[row])], len(body), body)
