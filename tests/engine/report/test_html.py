"""The report: one HTML file that needs nothing else, and says what the summary says."""

import re
import xml.etree.ElementTree as ET
from base64 import b64decode
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.measure.slo import parse_slo
from tokentape.engine.report.html import write_report
from tokentape.engine.report.plots import PLOTS
from tokentape.engine.report.plots.captions import CAPTIONS
from tokentape.engine.tape.read import Tape

MS = 1_000_000
MakeTape = Callable[..., Tape]
VOID = {"meta", "img"}


class Page(HTMLParser):
    """The elements of a page; every one that opens has to close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())


def run(make_tape: MakeTape, *, failing: int = 3) -> Tape:
    """50 requests of three tokens; the last ones fail with a message that would like to be markup."""
    requests, events = [], []
    for number in range(50):
        sent = number * 20 * MS
        bad = number >= 50 - failing
        stamps = [] if bad else [sent + (50 + 10 * place) * MS for place in range(3)]
        row: dict[str, Any] = {"request_id": number, "scheduled_ns": sent, "sent_ns": sent, "end_ns": sent + 70 * MS}
        row |= {"input_tokens": 100 + number, "output_tokens": len(stamps), "output_events": len(stamps)}
        row |= {"server_output_tokens": len(stamps)}
        if bad:
            row |= {"outcome": "http_error", "http_status": 503, "error": "<script>alert('&')</script>"}
        else:
            row |= {"first_token_ns": stamps[0], "last_token_ns": stamps[-1]}
        requests.append(row)
        events += [{"request_id": number, "event": p, "arrival_ns": at} for p, at in enumerate(stamps)]
    return make_tape(requests, events, {"command": ["tokentape", "replay", "a trace.jsonl"]}, name="run.tape")


def test_the_report_is_whole_and_loads_nothing(make_tape: MakeTape, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    summary = write_report(run(make_tape), file, slos=[parse_slo("ttft:60ms"), parse_slo("ttft:p90:10ms")])
    text = file.read_text(encoding="utf-8")
    page = Page(text)
    pictures = [attributes for tag, attributes in page.elements if tag == "img"]
    for picture in pictures:
        source = str(picture["src"])
        assert source.startswith("data:image/svg+xml;base64,")
        assert ET.fromstring(b64decode(source.partition(",")[2])).tag.endswith("svg")
    figures = [attributes["id"] for tag, attributes in page.elements if tag == "figure"]
    assert figures == list(PLOTS)
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert links == [f"#{name}" for name in PLOTS]
    assert not {tag for tag, _ in page.elements} & {"script", "link", "iframe"}
    assert not re.search(r"url\(|@import|src=\"http", text)
    assert "prefers-color-scheme: dark" in text
    assert summary.verdict.state in page.text
    assert "<script>alert('&')</script>" in page.text  # as words
    assert "tokentape replay 'a trace.jsonl'" in page.text
    assert "50 requests, 47 ok, 3 failed, 0 cancelled, 1.05 s" in page.text
    for word in ("TTFT", "50.00", "missed", "503"):
        assert word in page.text
    assert all(CAPTIONS[name] in page.text for name in PLOTS)


def test_the_same_tape_gives_the_same_report(make_tape: MakeTape, tmp_path: Path) -> None:
    tape = run(make_tape)
    for name in "ab":
        write_report(tape, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_run_of_failures_still_has_a_report(make_tape: MakeTape, tmp_path: Path) -> None:
    notes: list[str] = []
    summary = write_report(run(make_tape, failing=50), tmp_path / "report.html", on_note=notes.append)
    page = Page((tmp_path / "report.html").read_text())
    assert summary.verdict.state == "INVALID"
    assert [attributes["id"] for tag, attributes in page.elements if tag == "figure"] == [
        "timeline",
        "throughput",
        "lateness",
    ]
    assert len(notes) == len(PLOTS) - 3


def test_a_tape_without_requests_has_a_report(make_tape: MakeTape, tmp_path: Path) -> None:
    write_report(make_tape([]), tmp_path / "report.html")
    assert "INVALID" in Page((tmp_path / "report.html").read_text()).text


def test_a_file_that_cannot_be_written_is_named(make_tape: MakeTape, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no/report.html: cannot be written \(No such file or directory\)"):
        write_report(run(make_tape), tmp_path / "no" / "report.html")


def test_every_plot_has_a_caption() -> None:
    assert tuple(CAPTIONS) == PLOTS
