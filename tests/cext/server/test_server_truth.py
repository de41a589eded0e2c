"""Rows of requests and events that the simulated server keeps, compared with what a client sees."""

from typing import Any

import pytest
from simulated_server import CHAT, MS, events_of, parse, serving
from tokentape.cext.parsers import json_find
from tokentape.cext.server import RequestRow, draws

VARIANTS: list[dict[str, Any]] = [
    {},
    {"role": "with", "finish": "last", "continuous_usage": True},
    {"role": "early", "finish": "usage", "done": False, "framing": "close"},
    {"role": "none", "empty_choice": True, "tokens_per_chunk": 3, "line_end": "crlf", "framing": "length"},
    {"keepalive_ns": MS // 2, "reasoning_tokens": 2, "line_end": "cr", "split_bytes": 50},
    {"fault": "error", "stream_error": "event"},
    {"fault": "cut", "chunk_extensions": True},
]


@pytest.mark.parametrize("settings", VARIANTS)
def test_rows_agree_with_what_a_client_counts(settings: dict[str, Any]) -> None:
    with serving(**settings) as (server, client):
        client.send(CHAT | {"max_tokens": 9}, head="Connection: close\r\n")
        raw = client.rest()
    response = parse(raw)
    rows = events_of(server.take_events())
    assert [kind for _, _, _, kind, *_ in rows] == [scan.kind for scan in response.scans]
    assert [size for *_, size in rows] == [frame.wire_bytes for frame in response.frames]
    assert [event for _, event, *_ in rows] == list(range(len(rows)))
    (row,) = server.take_requests()
    assert (row.events, row.bytes_sent) == (len(rows), len(raw))
    assert row.output_tokens == sum(tokens for *_, tokens, _ in rows)
    (matches, _) = json_find(["id"], response.frames[-2].data if response.frames[-2].data[:1] == b"{" else b"{}")
    assert all(match.text.decode() == row.id for match in matches)


def _due_ns(row: RequestRow, seed: int, ttft: Any, itl: Any) -> list[int]:
    """Return when each token of a request is due after its first one, in ns, computed from the distribution alone."""
    gaps = draws(itl, seed, row.request, row.asked_tokens)
    due = [0]
    for gap in gaps[1:]:
        due.append(due[-1] + gap)
    return due


def test_tokens_are_never_early_and_due_times_are_absolute() -> None:
    ttft, itl = ("constant", 5.0 * MS, 0.0), ("lognormal", 2.0 * MS, 1.0 * MS)
    with serving(ttft=ttft, itl=itl, seed=9) as (server, client):
        for _ in range(3):
            client.send(CHAT | {"max_tokens": 30})
            client.until(b"0\r\n\r\n")
    rows = {row.request: row for row in server.take_requests()}
    handed: dict[int, list[int]] = {}
    for request, _, arrival_ns, kind, *_ in events_of(server.take_events()):
        if kind == "token":
            handed.setdefault(request, []).append(arrival_ns)
    assert len(handed) == 3
    for request, stamps in handed.items():
        row = rows[request]
        assert stamps == sorted(stamps) and len(stamps) == 30
        base = row.received_ns + 5 * MS
        for stamp, due in zip(stamps, _due_ns(row, 9, ttft, itl), strict=True):
            assert stamp >= base + due
        assert row.received_ns <= row.headers_ns <= row.first_event_ns <= row.first_token_ns == stamps[0]
        assert row.last_token_ns == stamps[-1] <= row.end_ns


def test_durations_depend_only_on_seed_and_request_number() -> None:
    distribution = ("uniform", 1.0 * MS, 2.0 * MS)
    assert draws(distribution, 5, 7, 10) == draws(distribution, 5, 7, 10) != draws(distribution, 5, 8, 10)
    assert draws(distribution, 5, 7, 10) != draws(distribution, 6, 7, 10)


def test_answers_have_unique_ids() -> None:
    with serving(ttft=("constant", 0.0, 0.0)) as (server, client):
        for _ in range(50):
            client.send({"input": "a"}, "/v1/embeddings")
            client.until(b"}}")
    assert len({row.id for row in server.take_requests()}) == 50
