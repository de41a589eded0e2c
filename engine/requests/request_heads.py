"""Heads of a run's requests: for a recorded request its recorded head, without the fields that the run sets."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ...traces.recorded.headers import headers_of
from ...traces.table import Trace
from ..transport.api_paths import join_path
from ..transport.request_head import request_head
from ..transport.target import Target
from .recorded_requests import RecordedTargets, endpoint_of

SET_BY_THE_RUN: Final = ("accept-encoding",)
"""Recorded headers that are not sent, besides those of the connection: a compressed stream could not be parsed."""

_MOST_KEPT: Final = 1024


class RequestHeads:
    """Builder of request heads.

    The user's headers take precedence over recorded ones, and recorded ones over the run's. A composed request has no
    recorded headers.

    Args:
        trace: The trace.
        target: Target of the requests.
        headers: The user's headers of every request.
        stream: Whether composed requests ask for a stream.
        recorded: Targets of recorded requests, if the trace has them.
        base_path: Path of the user's URL, before recorded paths.
    """

    def __init__(
        self,
        trace: Trace,
        target: Target,
        headers: Sequence[tuple[str, str]],
        stream: bool,
        recorded: RecordedTargets | None = None,
        base_path: str = "",
    ) -> None:
        self._target, self._headers, self._base_path = target, list(headers), base_path
        self._common = request_head(target, headers, stream)
        self._stream, self._recorded = stream, recorded
        bodies, told = trace.table["body"], trace.table["headers"]
        self._told = None if told.null_count == len(told) else told.to_pylist()
        self._bodies = bodies.is_valid().to_pylist() if recorded or self._told else None
        self._taken = {*SET_BY_THE_RUN, *(name.lower() for name, _ in headers)}
        self._kept: dict[tuple[str | None, bool, str | None], bytes] = {}

    def __call__(self, row: int) -> bytes:
        """Return a row's head up to the length."""
        if self._bodies is None or not self._bodies[row]:
            return self._common
        path = stream = None
        if self._recorded is not None:
            path, stream = self._recorded.paths[row], self._recorded.streams[row]
        key = path, self._stream if stream is None else stream, self._told[row] if self._told else None
        head = self._kept.get(key)
        if head is None:
            if len(self._kept) == _MOST_KEPT:
                self._kept.clear()  # for a trace whose heads all differ
            head = self._kept[key] = self._made(*key)
        return head

    def _made(self, path: str | None, stream: bool, told: str | None) -> bytes:
        target = (
            self._target
            if path is None
            else replace(self._target, path=join_path(self._base_path, path, below_v1=self._target.below_v1))
        )
        theirs = [(name, value) for name, value in headers_of(told or "{}").items() if name.lower() not in self._taken]
        api = None if path is None else endpoint_of(path)
        return request_head(target, [*theirs, *self._headers], stream, None if api is None else api.headers)
