"""Which request of a trace of spans waited for which: by their parents, and by time.

A span is over before another one of the same parent when it ends no later than that one begins. A request follows
the one that ended last among all requests within the spans that were over before it: first those beside it and
its parent; where there is none, those beside its parent, and so on up. Spans without a parent lie beside each
other when they belong to the same session. Requests that run side by side in subagents do so in the replay too;
of several that were waited for, the last to end is followed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from .fields import BadField, shown


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
    """Spans beside each other, by their ends, with the request within them so far that ended last."""

    ends: list[int] = field(default_factory=list)
    latest: list[int | None] = field(default_factory=list)


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
    """How many ancestors each span has."""
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


def followed(spans: Sequence[Span]) -> dict[int, int]:
    """Which span each request's span follows, by place among the spans.

    Args:
        spans: Linked.

    Returns:
        Follower to followed; both are requests, and the followed one began before and ended no later than the
        other began. What follows nothing is absent.
    """
    last = _last_request_within(spans)
    groups = _groups(spans, last)
    found: dict[int, int] = {}
    for place, span in enumerate(spans):
        if span.request is None:
            continue
        at: int | None = place
        while at is not None:
            best = _over_before(spans, groups, at)
            parent = spans[at].parent
            if parent is not None and spans[parent].request is not None:
                best = _later(spans, best, parent)
            if best is not None and spans[best].end_ns <= span.start_ns and spans[best].start_ns < span.start_ns:
                found[place] = best
                break
            at = parent
    return found


def _last_request_within(spans: Sequence[Span]) -> list[int | None]:
    """For each span, the request that ended last among it and its descendants."""
    depths = _depths(spans)
    last: list[int | None] = [None if span.request is None else place for place, span in enumerate(spans)]
    for place in sorted(range(len(spans)), key=lambda place: -depths[place]):
        parent = spans[place].parent
        if parent is not None:
            last[parent] = _later(spans, last[parent], last[place])
    return last


def _later(spans: Sequence[Span], one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return other if spans[other].end_ns > spans[one].end_ns else one


def _key(spans: Sequence[Span], place: int) -> tuple[str, int | None]:
    span = spans[place]
    return (span.session, None) if span.parent is None else ("", span.parent)


def _groups(spans: Sequence[Span], last: Sequence[int | None]) -> dict[tuple[str, int | None], _Group]:
    groups: dict[tuple[str, int | None], _Group] = {}
    for place in sorted(range(len(spans)), key=lambda place: spans[place].end_ns):
        group = groups.setdefault(_key(spans, place), _Group())
        group.ends.append(spans[place].end_ns)
        before = group.latest[-1] if group.latest else None
        group.latest.append(_later(spans, before, last[place]))
    return groups


def _over_before(spans: Sequence[Span], groups: dict[tuple[str, int | None], _Group], place: int) -> int | None:
    """The request that ended last within the spans beside one that were over when it began."""
    group = groups[_key(spans, place)]
    count = bisect_right(group.ends, spans[place].start_ns)
    return group.latest[count - 1] if count else None
