"""Visible output, apart from reasoning and tool calls: time of its first token, and tokens of each kind.

The number of reasoning tokens is the server's if its usage has one. Otherwise a request's output tokens are divided in
proportion to its events of each kind: by the events' token counts if each has one, else by the number of events. Tool
calls are always counted in this way. The remaining tokens are visible.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .latencies import RequestTimes, latency, since
from .statistic import Statistic, statistic

REQUEST_COLUMNS: Final = (
    "request_id",
    "output_tokens",
    "first_token_ns",
    "first_visible_ns",
    "server_reasoning_tokens",
)
EVENT_COLUMNS: Final = ("request_id", "kind", "tokens")
HIDDEN: Final = ("reasoning", "tool_call")


def hides_output(main: pa.Table, events: Callable[[], Iterable[pa.Table]]) -> bool:
    """Return whether any request had output that was reasoning or a tool call.

    Args:
        main: REQUEST_COLUMNS of the main phase.
        events: Returns EVENT_COLUMNS, `kind` as a dictionary. Called only if no request had visible output: then all
            output was hidden, or the tape is older than that column.
    """
    if main["first_token_ns"].null_count == len(main):
        return False
    if pc.any(pc.greater(main["server_reasoning_tokens"], 0)).as_py():
        return True
    if main["first_visible_ns"].null_count == len(main):
        return any(_has_hidden(batch["kind"]) for batch in events())
    later = pc.not_equal(pc.fill_null(main["first_visible_ns"], -1), pc.fill_null(main["first_token_ns"], -1))
    return bool(pc.any(later).as_py())


def _has_hidden(kind: pa.ChunkedArray) -> bool:
    return any(set(chunk.dictionary.take(chunk.indices.unique()).to_pylist()) & set(HIDDEN) for chunk in kind.chunks)


def visible_statistics(
    main: pa.Table, times: RequestTimes, events: Iterable[pa.Table]
) -> tuple[list[Statistic], list[Statistic]]:
    """Return the rows of a summary on visible output: the latencies `ttfvt` (from schedule, from send), and the
    counts `reasoning_tokens`, `tool_call_tokens` and `visible_tokens` of the successful requests.

    Args:
        main: REQUEST_COLUMNS, by request_id.
        times: Times of the same requests.
        events: EVENT_COLUMNS, `kind` as a dictionary.
    """
    first = main["first_visible_ns"].cast(pa.float64()).to_numpy()
    shares = _shares(events, main["request_id"].to_numpy())
    output = pc.fill_null(main["output_tokens"], 0).to_numpy().astype(np.float64)
    told = main["server_reasoning_tokens"].cast(pa.float64()).to_numpy()
    reasoning = np.where(np.isnan(told), np.round(output * shares[0]), told)
    tools = np.round(output * shares[1])
    ok = times.ok & (output > 0)
    latencies = [latency("ttfvt", basis, since(first, times, basis)) for basis in ("schedule", "send")]
    counts = {"reasoning_tokens": reasoning, "tool_call_tokens": tools, "visible_tokens": output - reasoning - tools}
    return latencies, [
        statistic(name, None, "tokens", values[ok]) for name, values in counts.items() if values[ok].any()
    ]


def _shares(events: Iterable[pa.Table], request_id: NDArray[np.int64]) -> Sequence[NDArray[np.float64]]:
    """Return the shares of reasoning and of tool calls in each request's output."""
    kinds = ("token", *HIDDEN)
    count, tokens = np.zeros((len(kinds), len(request_id))), np.zeros((len(kinds), len(request_id)))
    unknown = np.zeros(len(request_id), np.bool_)
    for batch in events:
        kind = batch["kind"].combine_chunks()
        kind = kind.combine_chunks() if isinstance(kind, pa.ChunkedArray) else kind
        words = kind.dictionary.to_pylist()
        codes = kind.indices.to_numpy(zero_copy_only=False)
        places = np.searchsorted(request_id, batch["request_id"].to_numpy())
        held = pc.fill_null(batch["tokens"], -1).to_numpy()
        known = (places < len(request_id)) & (
            request_id[np.minimum(places, len(request_id) - 1)] == batch["request_id"].to_numpy()
        )
        for row, word in enumerate(kinds):
            if word not in words:
                continue
            wanted = known & (codes == words.index(word))
            np.add.at(count[row], places[wanted], 1)
            np.add.at(tokens[row], places[wanted], np.maximum(held[wanted], 0))
            unknown[places[wanted & (held < 0)]] = True
    weight = np.where(unknown, count, tokens)
    total = np.maximum(weight.sum(axis=0), 1)
    return weight[1] / total, weight[2] / total
