"""Composing the HTTP requests of a plan, row by row."""

import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...traces.prompts.prompts import Prompts
from ..plan import Plan
from .endpoints import Body, BodyCompleter


class Composer:
    """Composer of the HTTP request of any row of a plan. Pure: a row gives the same bytes in every process.

    Args:
        plan: The plan.
        prompts: Prompts of the rows.
        body: Template of the body.
        head: Returns a row's head, up to the value of ``Content-Length``.
    """

    def __init__(self, plan: Plan, prompts: Prompts, body: Body, head: Callable[[int], bytes]) -> None:
        self._prompts, self._body, self._head = prompts, body, head
        self._completion = BodyCompleter(body)
        self._output_tokens = plan.output_tokens.tolist()

    def body(self, row: int) -> bytes:
        """Return the JSON body of a row: the recorded body if there is one."""
        recorded = self._prompts.body(row)
        if recorded is not None:
            return self._completion.whole(recorded, self._output_tokens[row])
        return self._body.render(self._prompts.compose(row), self._output_tokens[row])

    def request(self, row: int) -> bytes:
        """Return head and body of a row."""
        body = self.body(row)
        return b"%b%d\r\n\r\n%b" % (self._head(row), len(body), body)


class LiveComposer(Composer):
    """Composer of chat requests whose history has the server's actual responses.

    Turn n has the user's texts and the server's responses of all turns before it, and a new user text that fills the
    prompt up to its recorded length.

    Each response is passed to :meth:`heard` before the next turn is composed. A session's texts are dropped after its
    last turn.
    """

    def __init__(self, plan: Plan, prompts: Prompts, body: Body, head: Callable[[int], bytes]) -> None:
        super().__init__(plan, prompts, body, head)
        assert plan.parent is not None
        self._parent = plan.parent.tolist()
        self._new_tokens = _new_tokens(plan).tolist()
        self._followers = np.bincount(plan.parent[plan.parent >= 0], minlength=len(plan)).tolist()
        self._sent: dict[int, bytes] = {}
        self._said: dict[int, tuple[bytes, bytes]] = {}

    def heard(self, row: int, reply: str) -> None:
        """Record the server's response to a row."""
        prompt = self._sent.pop(row, None)
        if self._followers[row]:
            said = json.dumps(reply, ensure_ascii=True)[1:-1].encode("ascii")
            self._said[row] = (self._prompts.compose(row) if prompt is None else prompt, said)

    def body(self, row: int) -> bytes:
        """Return the JSON body of a row with its history. Call it once, after :meth:`heard` for the turn before."""
        parent = self._parent[row]
        if parent < 0:
            return self._body.render(self._prompts.compose(row), self._output_tokens[row])
        before, reply = self._said[parent]
        turn = b'"},{"role":"assistant","content":"%b"},{"role":"user","content":"%b'
        prompt = before + turn % (reply, self._prompts.fresh(row, self._new_tokens[row]))
        self._sent[row] = prompt
        self._followers[parent] -= 1
        if not self._followers[parent]:
            del self._said[parent]
        return self._body.render(prompt, self._output_tokens[row])


def _new_tokens(plan: Plan) -> NDArray[np.int64]:
    """Words of the user's own in each later turn: what its input has beyond the turn before and that one's output."""
    assert plan.parent is not None
    inputs = plan.input_tokens.astype(np.int64)
    known = np.where(plan.parent >= 0, inputs[plan.parent] + plan.output_tokens[plan.parent], 0)
    return np.maximum(inputs - known, 1)
