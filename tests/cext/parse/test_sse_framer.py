"""The SSE framer against a reference written line by line after the standard."""

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.cext.parsers import Frame, sse_frames

FRAGMENTS = st.sampled_from(
    [
        b"data: hello",
        b"data:x",
        b"data:  two spaces",
        b"data",
        b"data:",
        b"data: a: b",
        b"event: delta",
        b"event:error",
        b"event",
        b"error: no",
        b"id: 7",
        b"retry: 100",
        b":",
        b": ping",
        b"::",
        b"unknown: field",
        b"a:bc:d",
        b" data: indented",
        b"Data: case",
        b"\n",
        b"\n\n",
        b"\r",
        b"\r\n",
        b"\r\n\r\n",
        b"\xef\xbb\xbf",
        b"\xef\xbb",
        "data: 日本".encode(),
        b"\0",
    ]
)
LINE_FRAGMENTS = st.tuples(FRAGMENTS, st.sampled_from([b"\n", b"\n\n"])).map(b"".join)
STREAMS = st.one_of(
    st.lists(FRAGMENTS, max_size=30).map(b"".join),
    st.lists(
        st.tuples(FRAGMENTS, st.sampled_from([b"\n", b"\r\n", b"\r", b"\r\n\r\n"])).map(b"".join), max_size=20
    ).map(b"".join),
    st.binary(max_size=60),
    st.text("da:t \r\n", max_size=60).map(str.encode),
)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(places)]


Event = tuple[bytes, bytes, bool, bool, bool]  # name, data, is a comment, has data, has an error field


def reference(stream: bytes) -> list[Event]:
    """The events as WHATWG HTML, section 9.2.6, says, with the differences that sse.h names."""
    events: list[Event] = []
    name, data, inner, error, begun = b"", list[bytes](), None, False, False
    comment: bytes | None = None

    def dispatch() -> None:
        nonlocal name, data, inner, error, begun, comment
        if comment is not None:
            events.append((b"", comment, True, False, False))
        elif begun:
            joined = b"\n".join(data) if data or name != b"error" else inner or b""
            events.append((name, joined, False, bool(data), error))
        name, data, inner, error, begun, comment = b"", [], None, False, False, None

    for line in re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf")):
        if line == b"":
            dispatch()
            continue
        if comment is not None:
            dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if line.startswith(b":"):
            if not begun:
                comment = line[1:]
            elif not data and not inner:
                inner = line[1:]
            continue
        begun = True
        if field in (b"data", b"error"):
            data.append(value)
            error = error or field == b"error"
        elif field == b"event":
            name = value
    dispatch()
    return events


def shape(frame: Frame) -> Event:
    return (frame.name, frame.data, frame.comment, frame.has_data, frame.error_field)


@settings(max_examples=1500, deadline=None)
@given(stream=STREAMS, cuts=CUTS)
def test_frames_as_the_standard_says(stream: bytes, cuts: list[int]) -> None:
    frames, too_large = sse_frames(pieces(stream, cuts))
    assert not too_large
    assert [shape(frame) for frame in frames] == reference(stream)


@settings(max_examples=500, deadline=None)
@given(stream=STREAMS, cuts=CUTS)
def test_a_cut_changes_no_count(stream: bytes, cuts: list[int]) -> None:
    assert sse_frames(pieces(stream, cuts)) == sse_frames([stream])


@settings(max_examples=300, deadline=None)
@given(lines=st.lists(LINE_FRAGMENTS, max_size=20), cuts=CUTS)
def test_every_byte_belongs_to_one_event(lines: list[bytes], cuts: list[int]) -> None:
    """With LF alone: an event has its lines and the blank one; blank lines between events are no one's."""
    stream = re.sub(rb"\r", b"", b"".join(lines)).replace(b"\xef\xbb\xbf", b"")
    stream = re.sub(rb"\n{2,}", b"\n\n", stream).lstrip(b"\n")
    frames, _ = sse_frames(pieces(stream, cuts))
    assert sum(frame.wire_bytes for frame in frames) == len(stream)


def test_nothing_is_handed_out_before_its_end() -> None:
    assert sse_frames([b"data: a\n"], finish=False) == ([], False)
    assert len(sse_frames([b"data: a\n", b"\n"], finish=False)[0]) == 1
