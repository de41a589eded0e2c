"""Frames come out of a channel as they went in, wherever the reads cut them."""

import socket
import threading

import pytest
from tokentape.engine.run.channel import FRAME_HEADER
from tokentape.engine.run.frame_reader import ROOM, FrameReader

Frames = list[tuple[int, int, bytes]]


def on_the_wire(frames: Frames) -> bytes:
    """As the worker's outbox writes them."""
    return b"".join(FRAME_HEADER.pack(type_, rows, len(payload)) + payload for type_, rows, payload in frames)


def copied(reader: FrameReader) -> Frames:
    """What has come whole; the payloads are views of a buffer that the next read overwrites."""
    return [(type_, rows, bytes(payload)) for type_, rows, payload in reader.frames()]


@pytest.mark.parametrize("cut", [1, 7, 16, 17, 1000])
def test_frames_come_whole_whatever_the_cuts(cut: int) -> None:
    sent = [(1, 3, b"abc"), (2, 0, b""), (3, 1, bytes(range(256)) * 5), (1, 9, b"z")]
    wire = on_the_wire(sent)
    ours, theirs = socket.socketpair()
    frames: Frames = []
    with ours, theirs:
        reader = FrameReader(ours)
        for at in range(0, len(wire), cut):
            theirs.sendall(wire[at : at + cut])
            assert reader.read()
            frames += copied(reader)
        theirs.close()
        assert not reader.read()
    assert frames == sent


def test_frames_longer_than_the_buffer() -> None:
    sent = [(1, 1, b"before"), (2, 1, bytes(range(251)) * (3 * ROOM // 251)), (2, 1, b"x" * ROOM), (3, 1, b"after")]
    ours, theirs = socket.socketpair()
    frames: Frames = []
    with ours:

        def send() -> None:
            with theirs:
                theirs.sendall(on_the_wire(sent))

        sender = threading.Thread(target=send)
        sender.start()
        reader = FrameReader(ours)
        while reader.read():
            frames += copied(reader)
        sender.join()
    assert frames == sent


def test_a_frame_cut_by_the_end_is_not_given() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(on_the_wire([(1, 1, b"whole"), (1, 1, b"cut short")])[:-1])
        theirs.close()
        reader = FrameReader(ours)
        assert reader.read()
        assert copied(reader) == [(1, 1, b"whole")]
        assert not reader.read()
        assert copied(reader) == []
