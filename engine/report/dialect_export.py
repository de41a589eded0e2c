"""Another tool's summary of a tape, for programs: JSON and CSV."""

import csv
import io
import json
from collections.abc import Sequence

from ..measure.dialects.dialect_summary import DialectSummary


def dialects_json(summaries: Sequence[DialectSummary]) -> str:
    """Return one JSON object: a summary, or `{"summaries": [...]}` for several. Metric names are the tool's."""
    plain = [summary.as_dict() for summary in summaries]
    return json.dumps(plain[0] if len(plain) == 1 else {"summaries": plain}, indent=2, allow_nan=False) + "\n"


def dialects_csv(summaries: Sequence[DialectSummary]) -> str:
    """Return CSV, one line per metric and statistic: metric, unit, statistic, value, dialect, tape. n/a is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["metric", "unit", "statistic", "value", "dialect", "tape"])
    for summary in summaries:
        tapes = " ".join(summary.tapes)
        for row in summary.rows:
            for name, value in row.values.items():
                writer.writerow([row.key, row.unit, name, "" if value is None else value, summary.dialect, tapes])
    return text.getvalue()
