"""A summary for programs: JSON and CSV."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..measure.fidelity.compare import Fidelity
from ..measure.statistic import COLUMNS
from ..measure.summary import Summary
from ..tape.manifest import write_manifest
from ..tape.read import Tape


def to_json(summaries: Sequence[Summary]) -> str:
    """Return one JSON object: a summary, or `{"summaries": [...]}` for several tapes. n/a is null."""
    plain = [summary.as_dict() for summary in summaries]
    return json.dumps(plain[0] if len(plain) == 1 else {"summaries": plain}, indent=2, allow_nan=False) + "\n"


def to_csv(summaries: Sequence[Summary]) -> str:
    """Return CSV, one line per metric and zero point; n/a is empty. A rate is in the avg column.
    The number of requests of each finish reason is in the count column.

    Columns: metric, unit, basis, avg, min, max, p50, p75, p90, p95, p99, p99.9, std, count, failed, tape.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["metric", "unit", "basis", *COLUMNS, "count", "failed", "tape"])
    blank = [""] * (len(COLUMNS) - 1)
    for summary in summaries:
        for row in summary.statistics:
            values = [row.value(name) for name in COLUMNS]
            writer.writerow([row.metric, row.unit, row.basis, *values, row.count, row.failed, summary.tape])
        for rate in summary.rates:
            for suffix, value in (("", rate.value), ("_without_drain", rate.without_drain)):
                name = rate.metric + suffix
                writer.writerow([name, rate.unit, rate.basis, value, *blank, "", "", summary.tape])
        for reason, count in summary.requests.finish_reasons.items():
            writer.writerow([f"finish_reason_{reason}", "requests", "", "", *blank, count, "", summary.tape])
    return text.getvalue()


def fidelity_json(found: Fidelity, a: str, b: str) -> str:
    """Return one JSON object: the fidelity of b compared with a."""
    return json.dumps({"a": a, "b": b, "fidelity": found.as_dict()}, indent=2, allow_nan=False) + "\n"


def write_summary_files(tape: Tape, summary: Summary) -> None:
    """Write summary.json and summary.csv into the tape, and the verdict into its manifest."""
    _replace(tape.path / "summary.json", to_json([summary]))
    _replace(tape.path / "summary.csv", to_csv([summary]))
    tape.manifest["verdict"] = asdict(summary.verdict)
    write_manifest(tape.path, tape.manifest)


def _replace(file: Path, text: str) -> None:
    draft = file.with_name(file.name + ".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
