"""Metrics taken from row groups are those that plain loops over all rows give."""

import math
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.engine.measure.summary import Summary, summarize
from tokentape.engine.tape import parquet_parts as parts
from tokentape.engine.tape import seal
from tokentape.engine.tape.schema import TOKEN_KINDS
from tokentape.engine.tape.writer import TapeWriter

Row = dict[str, Any]
Makers = tuple[Callable[..., pa.RecordBatch], Callable[..., pa.RecordBatch]]


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """A small run: some requests, their events in the order of arrival, some ids far apart."""
    far = draw(st.sampled_from([1, 1 << 20]))
    known = draw(st.booleans())
    requests: list[Row] = []
    events: list[Row] = []
    for number in range(draw(st.integers(1, 8))):
        sent = draw(st.integers(0, 10**9))
        outcome = draw(st.sampled_from(["ok", "ok", "ok", "truncated", "cancelled"]))
        kinds = draw(st.lists(st.sampled_from(["token", "token", "reasoning", "usage", "comment"]), max_size=12))
        clock = sent
        mine = []
        for event, kind in enumerate(kinds):
            clock += draw(st.integers(0, 10**8))
            tokens = draw(st.integers(1, 4)) if known else draw(st.sampled_from([-1, 1, 2]))
            mine.append(
                {
                    "request_id": number * far,
                    "event": event,
                    "arrival_ns": clock,
                    "kind": kind,
                    "tokens": tokens,
                    "coalesced": draw(st.integers(0, 1)),
                }
            )
        stamps = [e["arrival_ns"] for e in mine if e["kind"] in TOKEN_KINDS]
        server = draw(st.sampled_from([None, len(stamps), len(stamps) + 3]))
        requests.append(
            {
                "request_id": number * far,
                "phase": draw(st.sampled_from(["main", "main", "main", "warmup"])),
                "scheduled_ns": sent - draw(st.integers(0, 10**6)),
                "sent_ns": sent,
                "first_token_ns": stamps[0] if stamps else None,
                "last_token_ns": stamps[-1] if stamps else None,
                "end_ns": clock,
                "outcome": outcome,
                "output_events": len(stamps),
                "server_output_tokens": server,
            }
        )
        events += mine
    events.sort(key=lambda e: e["arrival_ns"])
    return requests, events


def naive(requests: list[Row], events: list[Row]) -> Row:
    """The same by plain loops, as DESIGN words it."""
    main = [r for r in requests if r["phase"] == "main"]
    samples: list[tuple[float, int]] = []
    open_gaps = 0
    last_send = max((r["sent_ns"] for r in main), default=0)
    early_tokens = 0.0
    for r in main:
        mine = [e for e in events if e["request_id"] == r["request_id"] and e["kind"] in TOKEN_KINDS]
        mine.sort(key=lambda e: e["event"])
        output = r["output_events"] if r["server_output_tokens"] is None else r["server_output_tokens"]
        for before, after in pairwise(mine):
            k = after["tokens"]
            if k < 0 and r["server_output_tokens"] == len(mine):
                k = 1
            samples.append((after["arrival_ns"] - before["arrival_ns"], k))
        early = sum(e["arrival_ns"] <= last_send for e in mine)
        early_tokens += early * output / max(len(mine), 1)
        open_gaps += r["outcome"] == "truncated" and bool(mine)
    per_token = all(k >= 0 for _, k in samples)
    gaps = [g / k for g, k in samples for _ in range(k)] if per_token else [float(g) for g, _ in samples]
    ttft = [r["first_token_ns"] - r["sent_ns"] for r in main if r["first_token_ns"] is not None]
    missing = sum(r["first_token_ns"] is None and r["outcome"] == "truncated" for r in main)
    spans = [e["coalesced"] for e in events]
    return {
        "per_token": per_token,
        "gaps": sorted(gaps),
        "open": open_gaps,
        "ttft": sorted(ttft),
        "ttft_failed": missing,
        "early_tokens": early_tokens,
        "coalesced": sum(spans) / len(spans) if spans else None,
        "send_span": (last_send - min((r["sent_ns"] for r in main), default=0)) / 1e9,
    }


def summarize_run(makers: Makers, requests: list[Row], events: list[Row], partition: int, group: int) -> Summary:
    make_requests, make_events = makers
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(seal, "PARTITION_EVENTS", partition),
        patch.object(seal, "ROW_GROUP_ROWS", group),
        patch.object(parts, "ROW_GROUP_ROWS", group),
    ):
        writer = TapeWriter(Path(folder) / "t", {}, epoch_mono_ns=0, epoch_unix_ns=0)
        for start in range(0, len(events), 3):
            writer.events(make_events(events[start : start + 3]))
        writer.requests(make_requests(requests))
        return summarize(writer.seal())


@settings(max_examples=80, deadline=None)
@given(run=runs(), partition=st.integers(1, 40), group=st.integers(1, 20))
def test_streamed_metrics_are_the_naive_ones(
    batches: Makers, run: tuple[list[Row], list[Row]], partition: int, group: int
) -> None:
    requests, events = run
    wanted = naive(requests, events)
    summary = summarize_run(batches, requests, events, partition, group)
    row = summary.statistic("itl" if wanted["per_token"] else "inter_chunk_latency")
    assert (row.count, row.failed) == (len(wanted["gaps"]) + wanted["open"], wanted["open"])
    _same(row.value("avg"), wanted["gaps"], np.mean)
    _same(row.value("min"), wanted["gaps"], np.min)
    _same(row.value("std"), wanted["gaps"], np.std)
    if row.count >= 6 and not wanted["open"]:
        _same(row.value("p50"), wanted["gaps"], np.median)
    ttft = summary.statistic("ttft", "send")
    assert (ttft.count, ttft.failed) == (len(wanted["ttft"]) + wanted["ttft_failed"], wanted["ttft_failed"])
    _same(ttft.value("avg"), wanted["ttft"], np.mean)
    assert summary.capture.coalesced_share == wanted["coalesced"]
    rate = next(r for r in summary.rates if r.metric == "output_token_throughput")
    if wanted["send_span"]:
        assert rate.without_drain == pytest.approx(wanted["early_tokens"] / wanted["send_span"])
    else:
        assert rate.without_drain is None


def _same(value: float | None, samples: list[float], function: Any) -> None:
    if not samples:
        assert value is None
    else:
        assert value is not None
        assert math.isfinite(value)
        assert value == pytest.approx(float(function(samples)) / 1e6, rel=1e-9, abs=1e-9)
