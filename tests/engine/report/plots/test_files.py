"""Files of plots: valid, the same each time, small, and left out where there is nothing to show."""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tokentape.engine.errors import UserError
from tokentape.engine.measure.slo import parse_slo
from tokentape.engine.report.plots import FORMATS, MOST_TAPES, PLOTS, draw_plots
from tokentape.engine.tape.read import Tape

MS = 1_000_000
MakeTape = Callable[..., Tape]
Rows = list[dict[str, Any]]
WITHOUT_TOKENS = ["request_latency", "timeline", "throughput", "latency_cdf", "lateness", "goodput"]


def rows_of(count: int, *, tokens: bool = True, failing: Sequence[int] = (), warmup: int = 0) -> tuple[Rows, Rows]:
    """Requests 10 ms apart with lognormal latencies, and their events."""
    random = np.random.default_rng(count)
    requests: Rows = []
    events: Rows = []
    for number in range(count):
        sent = number * 10 * MS + int(random.lognormal(10, 1))
        bad = number in failing
        gaps = random.lognormal(np.log(8 * MS), 0.5, 0 if bad or not tokens else 2 + number % 7).astype(int)
        stamps = (sent + 30 * MS + np.cumsum(gaps)).tolist()
        requests.append(
            {
                "request_id": number,
                "phase": "warmup" if number < warmup else "main",
                "scheduled_ns": number * 10 * MS,
                "sent_ns": sent,
                "first_token_ns": stamps[0] if stamps else None,
                "last_token_ns": stamps[-1] if stamps else None,
                "end_ns": stamps[-1] if stamps else sent + 20 * MS,
                "outcome": "http_error" if bad else "ok",
                "input_tokens": 50 + 13 * number,
                "output_tokens": len(stamps) or None,
                "server_output_tokens": len(stamps) or None,
                "output_events": len(stamps),
            }
        )
        events += [
            {"request_id": number, "event": place, "arrival_ns": at, "coalesced": place % 3 == 2}
            for place, at in enumerate(stamps)
        ]
    return requests, events


def names(files: Sequence[Path]) -> list[str]:
    """Of files, in their order, each once."""
    return list(dict.fromkeys(file.stem for file in files))


def check(files: Sequence[Path], directory: Path) -> None:
    """All are there and are what their names say."""
    assert files
    for file in files:
        assert file.parent == directory
        if file.suffix == ".png":
            with Image.open(file) as picture:
                picture.verify()
                assert picture.format == "PNG"
                assert picture.width == 1500
        else:
            assert ET.parse(file).getroot().tag == "{http://www.w3.org/2000/svg}svg"
            assert file.stat().st_size < 2_000_000


def test_a_streaming_run_has_every_plot_in_both_formats(make_tape: MakeTape, tmp_path: Path) -> None:
    tape = make_tape(*rows_of(200, failing=range(20, 30), warmup=15))
    notes: list[str] = []
    files = draw_plots([tape], tmp_path / "plots", slos=[parse_slo("ttft:40ms")], on_note=notes.append)
    assert names(files) == list(PLOTS)
    assert len(files) == len(PLOTS) * len(FORMATS)
    assert not notes
    check(files, tmp_path / "plots")


def test_the_same_tape_gives_the_same_bytes(make_tape: MakeTape, tmp_path: Path) -> None:
    tape = make_tape(*rows_of(160, failing=[3]))
    first, second = (draw_plots([tape], tmp_path / name, formats=["svg"]) for name in ("first", "second"))
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        (rows_of(1), list(PLOTS)),
        (rows_of(1, failing=[0]), ["timeline", "throughput", "lateness"]),
        (rows_of(40, failing=range(40)), ["timeline", "throughput", "lateness"]),
        (rows_of(40, tokens=False), WITHOUT_TOKENS),
        (rows_of(3, warmup=3), ["timeline", "throughput"]),
        (([], []), []),
    ],
    ids=["one request", "one failure", "all failed", "embeddings", "all warm-up", "nothing"],
)
def test_odd_tapes_have_the_plots_that_make_sense(
    make_tape: MakeTape, tmp_path: Path, rows: tuple[Rows, Rows], shown: list[str]
) -> None:
    notes: list[str] = []
    tape = make_tape(*rows)
    files = draw_plots([tape], tmp_path / "plots", slos=[parse_slo("e2e:1s")], on_note=notes.append)
    assert names(files) == shown
    assert [note.partition(":")[0] for note in notes] == [name for name in PLOTS if name not in shown]
    if shown:
        check(files, tmp_path / "plots")


def test_a_picture_is_the_same_each_time_too(make_tape: MakeTape, tmp_path: Path) -> None:
    tape = make_tape(*rows_of(20))
    first, second = (draw_plots([tape], tmp_path / name, formats=["png"], only=["timeline"]) for name in "ab")
    assert first[0].read_bytes() == second[0].read_bytes()


def test_requests_that_were_never_sent_are_drawn_all_the_same(make_tape: MakeTape, tmp_path: Path) -> None:
    unsent = {"outcome": "connect_error", "error": "refused"}
    tape = make_tape([{"request_id": n, "scheduled_ns": n * MS} | unsent for n in range(3)])
    assert names(draw_plots([tape], tmp_path / "plots")) == ["timeline"]


def test_cancelled_requests_are_drawn(make_tape: MakeTape, tmp_path: Path) -> None:
    requests, events = rows_of(30)
    for row in requests[20:]:
        row["outcome"] = "cancelled"
    check(draw_plots([make_tape(requests, events)], tmp_path / "plots", formats=["png"]), tmp_path / "plots")


def test_several_tapes_share_each_plot(make_tape: MakeTape, tmp_path: Path) -> None:
    tapes = [
        make_tape(*rows_of(90), name="a"),
        make_tape(*rows_of(40, tokens=False), name="b"),
        make_tape(*rows_of(40, failing=range(40)), name="c"),
    ]
    notes: list[str] = []
    files = draw_plots(tapes, tmp_path, formats=["svg"], slos=[parse_slo("ttft:40ms")], on_note=notes.append)
    assert names(files) == list(PLOTS)
    check(files, tmp_path)
    assert "request_latency: c is left out: no request succeeded" in notes
    assert "itl_by_position: b is left out: no request received two tokens at different times" in notes


def test_many_requests_make_no_big_files(make_tape: MakeTape, tmp_path: Path) -> None:
    requests, events = rows_of(4000, failing=range(0, 4000, 9))
    check(draw_plots([make_tape(requests, events)], tmp_path, formats=["svg"]), tmp_path)


def test_plots_can_be_chosen(make_tape: MakeTape, tmp_path: Path) -> None:
    tape = make_tape(*rows_of(20))
    files = draw_plots([tape], tmp_path / "plots", formats=["png"], only=["lateness", "timeline"])
    assert [file.name for file in files] == ["timeline.png", "lateness.png"]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["lateness.png", "timeline.png"]


def test_what_cannot_be_drawn_is_said(make_tape: MakeTape, tmp_path: Path) -> None:
    tape = make_tape(*rows_of(2))
    with pytest.raises(UserError, match=r"'ttft' is not a plot; the plots are input_output_lengths, "):
        draw_plots([tape], tmp_path, only=["ttft"])
    with pytest.raises(UserError, match=r"'jpeg' is not a format of plots; the formats are png, svg"):
        draw_plots([tape], tmp_path, formats=["jpeg"])
    with pytest.raises(UserError, match=r"7 tapes; one plot holds 1 to 6"):
        draw_plots([tape] * (MOST_TAPES + 1), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file: cannot be created \(File exists\); choose another folder"):
        draw_plots([tape], tmp_path / "file")
