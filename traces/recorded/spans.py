"""Finding which requests of a trace of spans waited for which, from their parents and their times.

A span is over before a time when it began before it and ended no later. A request waits for all requests that came
last within the spans that were over before it: first those beside it and its parent; where there is none, those
beside its parent, and so on up. Spans without a parent lie beside each other when they belong to the same session.
Requests that run side by side in subagents do so in the replay too, and what comes after all of them waits for all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from ..reading.field_checks import BadField, shown

MOST_EDGES = 4_000_000
"""The largest number of waits that are kept: a thousand calls after a thousand others would make a million."""


@dataclass(slots=True)
class Span:
    """A span of any kind.

    Attributes:
        row: 1-based record in the file.
        scope: The trace that it belongs to; ids are unique within one.
        span_id: Its id.
        parent_id: Its parent's, or None.
        session: Where spans without a parent belong together.
        start_ns, end_ns: On one clock.
        request: Its place among the requests, None for other spans.
        parent: The place of its parent among the spans.
    """

    row: int
    scope: str
    span_id: str
    parent_id: str | None
    session: str
    start_ns: int
    end_ns: int
    request: int | None = None
    parent: int | None = None


@dataclass(slots=True)
class _Group:
    """Spans beside each other with requests in them, by their ends, and the latest start among those so far."""

    places: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def add(self, place: int, start_ns: int, end_ns: int) -> None:
        """One that ends no earlier than those before."""
        self.places.append(place)
        self.ends.append(end_ns)
        self.starts.append(max(start_ns, self.starts[-1]) if self.starts else start_ns)

    def last_before(self, time_ns: int) -> tuple[list[int], int]:
        """Return the last spans that ended before a time, and the latest start of all."""
        count = bisect_right(self.ends, time_ns)
        if not count:
            return [], -1
        latest = self.starts[count - 1]
        return self.places[bisect_right(self.ends, latest, 0, count) : count], latest


def link(spans: Sequence[Span]) -> None:
    """Find each span's parent among the spans. A parent that the file lacks counts as none.

    Raises:
        BadField: Two spans of a trace have the same id, or a span is its own ancestor; the field names the span.
    """
    places: dict[tuple[str, str], int] = {}
    for place, span in enumerate(spans):
        if places.setdefault((span.scope, span.span_id), place) != place:
            first = spans[places[span.scope, span.span_id]].row
            raise BadField("span_id", f"{shown(span.span_id)} stands in row {first} too; ids are unique in a trace")
    for span in spans:
        span.parent = None if span.parent_id is None else places.get((span.scope, span.parent_id))
    _depths(spans)


def _depths(spans: Sequence[Span]) -> list[int]:
    """Return how many ancestors each span has."""
    depths = [-1] * len(spans)
    for place in range(len(spans)):
        path: list[int] = []
        walked: set[int] = set()
        at: int | None = place
        while at is not None and depths[at] < 0:
            if at in walked:
                raise BadField("parent_span_id", f"span {shown(spans[at].span_id)} is its own ancestor: a cycle")
            walked.add(at)
            path.append(at)
            at = spans[at].parent
        depth = -1 if at is None else depths[at]
        for step in reversed(path):
            depth += 1
            depths[step] = depth
    return depths


def followed(spans: Sequence[Span], most: int = MOST_EDGES) -> tuple[dict[int, list[int]], int]:
    """Return which spans each request's span waited for, by place among the spans; the last to end first.

    Args:
        spans: Linked.
        most: The largest number of waits; beyond it, further requests wait only for the request that ended last.

    Returns:
        Follower to followed; all are requests, and those followed began before and ended no later than the other
        began. What follows nothing is absent. And how many wait for fewer than they did.
    """
    groups, exits = _groups(spans)
    found: dict[int, list[int]] = {}
    count = cut = 0
    for place, span in enumerate(spans):
        if span.request is None:
            continue
        at: int | None = place
        while at is not None:
            waited = _waited_for(spans, groups, exits, at, span.start_ns)
            if waited:
                waited.sort(key=lambda other: (-spans[other].end_ns, other))
                if len(waited) > 1 and count + len(waited) > most:
                    del waited[1:]
                    cut += 1
                found[place] = waited
                count += len(waited)
                break
            at = spans[at].parent
    return found, cut


def _waited_for(
    spans: Sequence[Span],
    groups: dict[tuple[str, int | None], _Group],
    exits: Sequence[tuple[int, ...]],
    place: int,
    start_ns: int,
) -> list[int]:
    """The requests that came last beside a span, or are its parent, of those over before it and a request within."""
    group, parent = groups.get(_key(spans, place)), spans[place].parent
    beside, latest = group.last_before(spans[place].start_ns) if group else ([], -1)
    waited = [request for other in beside for request in exits[other] if _over_ns(spans[request]) <= start_ns]
    if parent is not None and spans[parent].request is not None and latest < _over_ns(spans[parent]) <= start_ns:
        waited.append(parent)
    return waited


def _over_ns(span: Span) -> int:
    """From when on it is over: one that took no time comes before what begins after it, not at the same instant."""
    return max(span.end_ns, span.start_ns + 1)


def _key(spans: Sequence[Span], place: int) -> tuple[str, int | None]:
    span = spans[place]
    return (span.session, None) if span.parent is None else ("", span.parent)


def _groups(spans: Sequence[Span]) -> tuple[dict[tuple[str, int | None], _Group], list[tuple[int, ...]]]:
    """Spans beside each other, and the requests that came last within each span."""
    depths = _depths(spans)
    exits: list[tuple[int, ...]] = [() if span.request is None else (place,) for place, span in enumerate(spans)]
    groups: dict[tuple[str, int | None], _Group] = {}
    for place in sorted(range(len(spans)), key=lambda place: (-depths[place], _over_ns(spans[place]))):
        span, within = spans[place], groups.get(("", place))  # all deeper spans have been seen
        if within is not None:
            last, latest = within.last_before(within.ends[-1])
            own = exits[place] if _over_ns(span) > latest else ()
            inner = [exits[other] for other in last]
            exits[place] = inner[0] if len(inner) == 1 and not own else tuple(chain(own, *inner))
        if exits[place]:
            groups.setdefault(_key(spans, place), _Group()).add(place, span.start_ns, _over_ns(span))
    return groups, exits
