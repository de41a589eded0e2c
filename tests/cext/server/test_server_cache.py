"""The simulated server's prefix cache: cached tokens in responses, compared with an LRU cache of block ids."""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from tokentape import traces
from tokentape.engine.simulate.simulator import Simulator, SimulatorConfig
from tokentape.engine.tape.read import open_tape
from tokentape.traces.prompts.prompts import Prompts
from tokentape.traces.table import Trace
from tokentape.traces.transform import limit

Ask = Callable[..., int | None]


class Lru:
    """An LRU cache of block ids: looks up a request's leading blocks, then enters all, the last one first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held: OrderedDict[int, None] = OrderedDict()

    def visit(self, ids: Sequence[int]) -> int:
        hits = next((place for place, block in enumerate(ids) if block not in self.held), len(ids))
        for block in reversed(ids):
            self.held[block] = None
            self.held.move_to_end(block)
            if len(self.held) > self.capacity:
                self.held.popitem(last=False)
        return hits


@contextmanager
def cached(truth: Path | None = None, **config: Any) -> Iterator[tuple[Simulator, Ask]]:
    """Run a server without delays; yield it and a function that sends a request and returns its cached tokens."""
    with Simulator(SimulatorConfig(**({"ttft": "0ms", "itl": "0ms"} | config)), truth) as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=30)

        def ask(body: dict[str, Any] | bytes, path: str = "/v1/completions") -> int | None:
            data = body if isinstance(body, bytes) else json.dumps(body | {"max_tokens": 1}).encode()
            connection.request("POST", path, data)
            usage = json.load(connection.getresponse())["usage"]
            details = usage.get("prompt_tokens_details")
            return None if details is None else int(details["cached_tokens"])

        yield server, ask
        connection.close()


def chat(*messages: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text} for text in messages]}


def test_without_a_cache_usage_has_no_cached_tokens() -> None:
    with cached() as (_, ask):
        assert ask({"prompt": "a b c"}) is None


def test_the_shared_prefix_is_cached_in_whole_blocks() -> None:
    with cached(prefix_cache=100, block_tokens=4) as (_, ask):
        assert ask({"prompt": "a b c d e f g h i"}) == 0
        assert ask({"prompt": "a b c d e f g h j"}) == 8
        assert ask({"prompt": "a b c d e f x h i"}) == 4
        assert ask({"prompt": "x b c d e f g h i"}) == 0
        assert ask({"prompt": "a b c d e f g h i"}) == 9  # its last block is part-filled, and the same
        assert ask({"prompt": "a b c d e f g h i j"}) == 8
        assert ask({"prompt": []} | {"prompt": [1, 2, 3, 4, 5]}) == 0
        assert ask({"prompt": [1, 2, 3, 4, 6]}) == 4


def test_prompts_of_a_batch_are_looked_up_in_order() -> None:
    with cached(prefix_cache=100, block_tokens=2) as (_, ask):
        assert ask({"prompt": ["a b c d", "a b x y", "a b c d"]}) == 0 + 2 + 4
        assert ask({"prompt": [[1, 2, 3], [1, 2, 3]]}) == 3


def test_each_turn_of_a_chat_finds_the_turns_before_it() -> None:
    with cached(prefix_cache=100, block_tokens=2) as (_, ask):
        path = "/v1/chat/completions"
        assert ask(chat("a b", "c d"), path) == 0
        assert ask(chat("a b", "c d", "e f"), path) == 4
        parts = [{"type": "text", "text": "a b"}, {"type": "text", "text": "c d"}]
        assert ask({"messages": [{"role": "user", "content": parts}]}, path) == 4


def test_embeddings_have_no_cache() -> None:
    with cached(prefix_cache=100, block_tokens=2) as (_, ask):
        assert ask({"input": "a b c d"}, "/v1/embeddings") is None


def test_refused_requests_are_not_cached() -> None:
    with cached(prefix_cache=100, block_tokens=2) as (server, ask):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", "/v1/completions", json.dumps({"prompt": "a b c d", "max_tokens": 0}))
        assert connection.getresponse().status == 400
        connection.close()
        assert ask({"prompt": "a b c d"}) == 0


def test_metrics_count_blocks() -> None:
    with cached(prefix_cache=2, block_tokens=2) as (server, ask):
        for prompt in ("a b c d e", "a b c", "x y"):
            ask({"prompt": prompt})
        connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
        connection.close()
    numbers = dict(line.split() for line in page.splitlines() if "cache" in line and line[0] != "#")
    assert {name.removeprefix("tokentape_"): int(value) for name, value in numbers.items()} == {
        "cached_prompt_tokens_total": 2,
        "prefix_cache_queried_blocks_total": 6,
        "prefix_cache_hit_blocks_total": 1,
        "prefix_cache_evicted_blocks_total": 3,
        "prefix_cache_held_blocks": 2,
    }


def test_a_hit_shortens_the_time_to_the_first_token() -> None:
    """A TTFT of an hour becomes a few ms when all but one of a million tokens are cached."""
    body = {"prompt": "a " * 1_000_000, "stream": True}
    with cached(ttft="3600s", prefix_cache=1 << 20, block_tokens=16) as (server, ask):
        cold = HTTPConnection("127.0.0.1", server.port, timeout=30)
        cold.request("POST", "/v1/completions", json.dumps(body))
        cold.getresponse()  # the head; the first token would take the hour
        assert ask({"prompt": body["prompt"]}) == 1_000_000
        cold.close()


def test_the_first_token_is_never_before_the_scaled_draw(tmp_path: Path) -> None:
    with cached(tmp_path / "truth", ttft="40ms", prefix_cache=10, block_tokens=2) as (server, ask):
        told = [ask({"prompt": prompt}) for prompt in ("a b c d", "a b x y", "a b c d", "b a")]
    assert told == [0, 2, 4, 0]
    assert server.tape is not None
    rows = server.tape.requests
    took = rows["end_ns"].to_numpy() - rows["received_ns"].to_numpy()
    assert (took >= np.array([40, 20, 10, 40]) * 1e6).all()


def test_the_servers_tape_has_the_cached_tokens(tmp_path: Path) -> None:
    for blocks, expected in ((0, [None, None]), (9, [0, 4])):
        path = tmp_path / f"truth{blocks}"
        config = SimulatorConfig(ttft="0ms", itl="0ms", prefix_cache=blocks, block_tokens=4)
        with Simulator(config, path) as server:
            connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
            for _ in range(2):
                connection.request("POST", "/v1/completions", json.dumps({"prompt": [7] * 4, "max_tokens": 1}))
                connection.getresponse().read()
            connection.close()
        assert open_tape(path).requests["server_cached_tokens"].to_pylist() == expected


# ---- Mooncake ------------------------------------------------------------------------


def replayed_hits(
    trace: Trace, capacities: Sequence[int], form: Literal["text", "token_ids"]
) -> tuple[int, dict[int, int], dict[int, int]]:
    """Send a trace to servers with caches of several capacities, and to LRU caches of its block ids.

    Returns:
        The number of blocks of all prompts; by capacity, the blocks that the server had cached; by capacity, the blocks
        that the LRU cache had. A last block that is filled in part counts as a block in all three.
    """
    prompts = Prompts(trace, form=form)
    size = trace.block_tokens or 0
    lrus = {capacity: Lru(capacity) for capacity in capacities}
    blocks, served, expected = 0, dict.fromkeys(capacities, 0), dict.fromkeys(capacities, 0)
    ends = (b'{"max_tokens":1,"prompt":"', b'"}') if form == "text" else (b'{"max_tokens":1,"prompt":[', b"]}")
    with ExitStack() as running:
        servers = {c: running.enter_context(cached(prefix_cache=c, block_tokens=size))[1] for c in capacities}
        for row, ids in enumerate(trace.table["block_ids"].to_pylist()):
            body = ends[0] + prompts.compose(row) + ends[1]
            blocks += len(ids)
            for capacity, ask in servers.items():
                served[capacity] += -(-(ask(body) or 0) // size)
                expected[capacity] += lrus[capacity].visit(ids)
    return blocks, served, expected


@pytest.mark.parametrize("form", ["text", "token_ids"])
def test_hits_equal_those_of_an_lru_cache_of_the_traces_ids(
    shared: Callable[[str], Path], form: Literal["text", "token_ids"]
) -> None:
    trace = limit(traces.read(shared("traces/mooncake/conversation_trace.jsonl")), 400)
    blocks, served, expected = replayed_hits(trace, (300, 4000), form)
    assert served == expected
    assert 0.01 * blocks < expected[300] < expected[4000] < blocks


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "token_ids"])
def test_the_whole_trace_has_its_published_hit_rates(
    shared: Callable[[str], Path], form: Literal["text", "token_ids"]
) -> None:
    trace = traces.read(shared("traces/mooncake/conversation_trace.jsonl"))
    blocks, served, expected = replayed_hits(trace, (10_000, 50_000, 1 << 20), form)
    assert served == expected
    assert [100 * hits / blocks for hits in served.values()] == pytest.approx([21.2, 35.5, 36.6], abs=0.06)
