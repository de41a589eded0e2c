"""Events counted into bins say what the raw events say."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from tokentape.engine.measure.percentiles import exact_percentiles
from tokentape.engine.report.plots.bins import weighted_quantiles
from tokentape.engine.report.plots.event_bins import (
    GAP_CENTRES_NS,
    GAP_EDGES_NS,
    MOST_POINTS,
    MOST_POSITIONS,
    count_events,
    gap_bins,
    position_edges,
)
from tokentape.engine.report.plots.plotted_tape import runs_of
from tokentape.engine.tape import seal
from tokentape.engine.tape.read import Tape

MS = 1_000_000
MakeTape = Callable[..., Tape]


def stream(
    request_id: int, sent_ns: int, gaps_ns: list[int], **more: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A request whose first token comes 10 ms after its send, and its events."""
    stamps = np.cumsum([sent_ns + 10 * MS, *gaps_ns]).tolist()
    row = {
        "request_id": request_id,
        "scheduled_ns": sent_ns,
        "sent_ns": sent_ns,
        "first_token_ns": stamps[0],
        "last_token_ns": stamps[-1],
        "end_ns": stamps[-1],
        "output_events": len(stamps),
        "output_tokens": len(stamps),
        "server_output_tokens": len(stamps),
    }
    events = [{"request_id": request_id, "event": place, "arrival_ns": at} for place, at in enumerate(stamps)]
    return row | more, events


def test_every_gap_falls_into_the_bin_that_holds_it() -> None:
    gaps = np.array([0.0, 999.0, 1000.0, 5e6, 123_456_789.0, 0.999e12, 2e12])
    bins = gap_bins(gaps)
    assert (GAP_EDGES_NS[bins] <= gaps * (1 + 1e-12)).all()
    assert (gaps < GAP_EDGES_NS[bins + 1] * (1 + 1e-12)).all()
    assert len(GAP_CENTRES_NS) == len(GAP_EDGES_NS) - 1
    inner = GAP_EDGES_NS[1:-1]
    assert np.max(inner[1:] / inner[:-1]) < 1.0046


@pytest.mark.parametrize("last", [0, 2, 3, 241, 242, 100_000])
def test_positions_have_few_bins_of_equal_width(last: int) -> None:
    edges = position_edges(last)
    assert edges[0] == 1.5
    assert edges[-1] >= max(last, 2) + 0.5
    assert len(edges) - 1 <= MOST_POSITIONS
    assert len(set(np.diff(edges).tolist())) == 1


@pytest.mark.parametrize("group", [1 << 20, 3])
def test_gaps_are_counted_by_position_across_row_groups(make_tape: MakeTape, group: int) -> None:
    a, a_events = stream(0, 0, [5 * MS, 7 * MS, 0, 9 * MS])
    b, b_events = stream(1, MS, [20 * MS])
    warm, warm_events = stream(2, 0, [30 * MS] * 3, phase="warmup")
    a_events[2]["coalesced"] = 1
    events = sorted(a_events + b_events + warm_events, key=lambda event: event["arrival_ns"])
    with patch.object(seal, "ROW_GROUP_ROWS", group):
        tape = make_tape([a, b, warm], events)
    (run,) = runs_of([tape])
    grid = run.events
    assert run.per_token
    assert grid.counts.sum(axis=1).tolist() == [2, 1, 1, 1]
    assert grid.points is not None
    found = sorted(zip(*(part.tolist() for part in grid.points), strict=True))
    assert found == [(2, 5 * MS), (2, 20 * MS), (3, 7 * MS), (4, 0), (5, 9 * MS)]
    assert grid.coalesced == 1
    assert grid.tokens.sum() == 5 + 2 + 4


def test_an_event_of_several_tokens_is_several_samples(make_tape: MakeTape) -> None:
    row, events = stream(0, 0, [30 * MS, 10 * MS], output_tokens=5, server_output_tokens=5)
    for event, tokens in zip(events, (1, 3, 1), strict=True):
        event["tokens"] = tokens
    (run,) = runs_of([make_tape([row], events)])
    assert run.per_token
    assert run.events.points is not None
    assert [part.tolist() for part in run.events.points] == [[4, 5], [10 * MS, 10 * MS]]
    assert run.events.samples == 4


def test_chunks_of_unknown_tokens_are_counted_as_chunks(make_tape: MakeTape) -> None:
    row, events = stream(0, 0, [30 * MS, 10 * MS], output_tokens=9, server_output_tokens=9)
    (run,) = runs_of([make_tape([row], events)])
    assert not run.per_token
    assert run.events.points is not None
    assert [part.tolist() for part in run.events.points] == [[2, 3], [30 * MS, 10 * MS]]
    assert run.events.tokens.sum() == pytest.approx(9)


def test_many_gaps_are_no_longer_kept_one_by_one_and_their_quantiles_stay_right(make_tape: MakeTape) -> None:
    random = np.random.default_rng(3)
    rows, events, gaps = [], [], []
    for number in range(30):
        mine = random.lognormal(np.log(8 * MS), 0.5, MOST_POINTS // 30 + 5).astype(int).tolist()
        row, its = stream(number, number * MS, mine)
        rows.append(row)
        events += its
        gaps += mine
    (run,) = runs_of([make_tape(rows, events, batch=5000)])
    assert run.events.points is None
    assert run.events.samples == len(gaps)
    total = run.events.counts.sum(axis=0, keepdims=True)
    counted = weighted_quantiles(total, GAP_CENTRES_NS, [0.05, 0.5, 0.95, 0.99])[0]
    exact = exact_percentiles(np.array(gaps, np.float64), (5, 50, 95, 99))
    assert counted == pytest.approx(exact, rel=0.005)
    assert len(run.events.counts) <= MOST_POSITIONS


def test_tokens_are_counted_in_the_bin_in_which_they_came(make_tape: MakeTape) -> None:
    row, events = stream(0, 0, [10 * MS, 30 * MS])  # at 10, 20 and 50 ms
    tape = make_tape([row], events)
    edges = np.array([0, 20, 40, 60]) * MS
    assert count_events(tape, np.array([True]), True, edges).tokens.tolist() == [1, 1, 1]
