"""The legend of a summary: a sentence for each row that can be shown."""

from collections.abc import Callable
from pathlib import Path

from tokentape.engine.measure.summary import summarize
from tokentape.engine.report.legend import LEGEND, legend
from tokentape.engine.report.summary_table import LABELS
from tokentape.engine.tape import Tape

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()


def test_every_row_has_a_sentence_with_its_unit() -> None:
    assert LEGEND.keys() == LABELS.keys()
    for sentence in LEGEND.values():
        assert sentence.endswith(".")
        assert "in ms" in sentence or "tokens" in sentence.lower() or "per second" in sentence


def test_the_page_of_the_metrics_has_every_row() -> None:
    defined = PAGE.partition("| metric | definition |")[2].partition("\n\n")[0].lower()
    for label in ("lateness", "queueing", "TTFT", "TTFVT", "ITL", "TPOT", "end to end", "ISL", "OSL", "goodput"):
        assert label.lower() in defined


def test_the_rows_are_those_of_the_table(small_trace: Callable[..., Path], replayed: Callable[..., Tape]) -> None:
    rows = dict(legend(summarize(replayed(small_trace(5), None))))
    assert list(rows)[:3] == ["lateness", "TTFT", "ITL"]
    assert {"end to end", "ISL", "OSL", "requests"} <= rows.keys()


def test_the_command_prints_it_after_the_table(
    small_trace: Callable[..., Path], replayed: Callable[..., Tape], run_cli: Callable[..., object]
) -> None:
    tape = replayed(small_trace(5), None)
    done = run_cli("summarize", tape.path, "--explain")
    assert "Time to first token: from the zero point to the first output event, in ms." in done.stdout
    assert done.stdout.index("lateness ") < done.stdout.index("Time to first token: ")
    refused = run_cli("summarize", tape.path, "--explain", "--format", "json")
    assert refused.returncode == 2
    assert "--explain describes the rows of tokentape's own table" in refused.stderr
