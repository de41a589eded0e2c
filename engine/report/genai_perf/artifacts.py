"""The four files of a GenAI-Perf artifact directory, and the directory's name."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ...errors import UserError
from ...measure.dialects.dialect_run import run_of
from ...measure.dialects.dialect_summary import DialectSummary, Row, Value
from ...measure.dialects.genai_perf import session_rows, summarize
from ...measure.slo import Slo
from ...tape.read import Tape
from .request_files import write_requests

PROFILE_EXPORT: Final = "profile_export.json"
INPUTS: Final = "inputs.json"

_CSV_COLUMNS: Final = ("avg", "min", "max", "p99", "p95", "p90", "p75", "p50", "p25", "p10", "p5", "p1")
_JSON_ORDER: Final = (
    *("request_throughput", "request_latency", "request_goodput", "request_count", "time_to_first_token"),
    *("time_to_second_token", "inter_token_latency", "output_token_throughput", "output_token_throughput_per_user"),
    *("output_sequence_length", "input_sequence_length"),
)


def artifact_directory(
    model: str | Sequence[str],
    service_kind: str,
    endpoint_type: str,
    *,
    concurrency: int | None = None,
    request_rate: float | None = None,
    session_concurrency: int | None = None,
    fixed_schedule: bool = False,
    base: str | Path = "artifacts",
) -> Path:
    """Return GenAI-Perf's directory for its files (config/generate/perf_analyzer_config.py, `_set_artifact_directory`).

    Args:
        model: One model name or several; the first is used, with each / replaced by _.
        service_kind: openai, triton or tensorrtllm_engine.
        endpoint_type: An API such as chat; for triton the backend, such as vllm.
        concurrency, request_rate, session_concurrency, fixed_schedule: The load; the name has none if all are None.
        base: Parent directory.

    Returns:
        A path such as artifacts/gpt2-openai-chat-concurrency1; a rate is a decimal number: request_rate10.0.
    """
    names = [model] if isinstance(model, str) else list(model)
    name = names[0] + ("_multi" if len(names) > 1 else "")
    parts = [name.replace("/", "_")]
    parts.append(service_kind if service_kind == "tensorrtllm_engine" else f"{service_kind}-{endpoint_type}")
    if concurrency is not None:
        parts.append(f"concurrency{concurrency}")
    elif request_rate is not None:
        parts.append(f"request_rate{float(request_rate)}")
    elif session_concurrency is not None:
        parts.append(f"session_concurrency{session_concurrency}")
    elif fixed_schedule:
        parts.append("fixed_schedule")
    return Path(base) / "-".join(parts)


def write_genai_perf(
    tapes: Tape | Sequence[Tape],
    directory: Path,
    *,
    input_config: Mapping[str, Any],
    payloads: Iterable[bytes | Mapping[str, Any]] | None = None,
    profile_export_name: str = PROFILE_EXPORT,
    slos: Sequence[Slo] = (),
) -> list[Path]:
    """Write GenAI-Perf's files of a tape, request by request; memory does not grow with the texts.

    Args:
        tapes: One tape, or several tapes of one run on several machines. Successful requests are exported, see
            `write_requests`.
        directory: Output directory, created if missing; files of the same names are replaced.
        input_config: The run as GenAI-Perf's configuration, for the JSON file; see `config_of`. The load in its
            perf_analyzer.stimulus, such as {"concurrency": 1}, is the experiment in profile_export.json.
        payloads: Bodies of all requests of the tape by request_id, warm-up and failures included; for a tape
            without bodies.
        profile_export_name: Name of the file with one entry per request; two other names are derived from it.
        slos: Objectives; the per-request ones give the goodput.

    Returns:
        Paths of profile_export_genai_perf.csv and .json, profile_export.json and inputs.json. inputs.json is written
        only if the bodies are known.

    Raises:
        UserError: The name is not a plain file name, or the directory cannot be written.
    """
    if Path(profile_export_name).name != profile_export_name or not Path(profile_export_name).stem:
        raise UserError(
            f"{profile_export_name!r} is not a file name; write one without a directory, such as {PROFILE_EXPORT}"
        )
    tapes = [tapes] if isinstance(tapes, Tape) else list(tapes)
    run = run_of(tapes)
    summary = summarize(run, [slo for slo in slos if slo.statistic is None])
    sessions = {name: _stats(rows) for name, rows in session_rows(run)}
    stem = Path(profile_export_name).stem
    table, plain = directory / f"{stem}_genai_perf.csv", directory / f"{stem}_genai_perf.json"
    requests, inputs = directory / profile_export_name, directory / INPUTS
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write_csv(table, summary)
        stats = {**_stats(summary.rows), "input_config": input_config, **({"sessions": sessions} if sessions else {})}
        plain.write_text(json.dumps(stats, indent=2), encoding="utf-8")
        wrote_inputs = write_requests(tapes, requests, inputs, stimulus=_stimulus(input_config), payloads=payloads)
    except OSError as error:
        raise UserError(f"{error.filename or directory}: {error.strerror}") from None
    return [table, plain, requests, *([inputs] if wrote_inputs else [])]


def _write_csv(path: Path, summary: DialectSummary) -> None:
    """Return two tables in one CSV (export_data/csv_exporter.py): statistics of requests, then totals of the run."""
    rows = [row for row in summary.rows if row.shown]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Metric", *_CSV_COLUMNS])
        for row in rows:
            if len(row.values) > 1:
                writer.writerow([row.label, *(_two_decimals(row.values[name]) for name in _CSV_COLUMNS)])
        writer.writerow([])
        writer.writerow(["Metric", "Value"])
        for row in rows:
            if len(row.values) == 1:
                writer.writerow([row.label, _two_decimals(row.values["avg"])])


def _stats(rows: Iterable[Row]) -> dict[str, Any]:
    """Return all metrics with values, hidden ones included (export_data/json_exporter.py, metrics/statistics.py)."""
    ordered = sorted(rows, key=lambda row: _JSON_ORDER.index(row.key))
    return {row.key: {"unit": row.unit, **row.values} for row in ordered if row.values["avg"] is not None}


def _two_decimals(value: Value) -> str:
    return "N/A" if value is None else f"{value:,.2f}"


def _stimulus(input_config: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return the configuration's kind of load and its level."""
    given = (input_config.get("perf_analyzer") or {}).get("stimulus") or {}
    for mode in ("concurrency", "request_rate"):
        if isinstance(given.get(mode), (int, float)):
            return mode, given[mode]
    return None
