"""The configuration of a run in GenAI-Perf's form: the `input_config` of its JSON file."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow.compute as pc

from ...tape.read import Tape
from .request_files import planned_rate

TYPES: Final = {
    "tgi": "huggingface_generate",
    "triton": "generate",
    "cohere_rankings": "rankings",
    "tei_rankings": "rankings",
}
"""GenAI-Perf's names of APIs, where they differ from ours."""


def config_of(
    tape: Tape, *, profile_export_name: str = "profile_export.json", goodput: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a configuration for any tape; GenAI-Perf's `process-export-files` accepts it.

    The load is that of a profile's manifest if it has one concurrency or one rate, else the rate at which requests
    were due.

    Args:
        tape: A sealed tape.
        profile_export_name: Name of the file with one entry per request.
        goodput: Objectives as the user wrote them, each KEY:NUMBER.

    Returns:
        Plain dicts for JSON, with the sections that GenAI-Perf writes.
    """
    options: Mapping[str, Any] = tape.manifest.get("options") or {}
    main = tape.read("requests", ("phase", "scheduled_ns", "model", "endpoint", "url"))
    main = main.filter(pc.equal(main["phase"], "main"))
    load = _stimulus(tape.manifest.get("load") or {}) or {"request_rate": planned_rate(main)}
    endpoint = _first(main["endpoint"])
    return {
        "model_names": list(tape.manifest.get("models") or [_first(main["model"])]),
        "subcommand": "profile",
        "verbose": False,
        "analyze": {},
        "endpoint": {
            "model_selection_strategy": "round_robin",
            "type": TYPES.get(endpoint, endpoint),
            "streaming": bool(tape.manifest.get("streaming")),
            "url": _first(main["url"]).partition("://")[2].partition("/")[0],
        },
        "perf_analyzer": {"stimulus": load},
        "input": {
            "random_seed": int(options.get("seed") or 0),
            "goodput": {key: float(number) for key, _, number in (word.partition(":") for word in goodput)},
        },
        "output": {"artifact_directory": "artifacts", "profile_export_file": profile_export_name},
        "tokenizer": {"name": str(options.get("tokenizer") or "")},
    }


def _stimulus(load: Mapping[str, Any]) -> dict[str, Any]:
    """Return the load of a profile if GenAI-Perf supports it, else an empty dict."""
    if isinstance(load.get("concurrency"), int):
        return {"concurrency": load["concurrency"]}
    rates = load.get("rates") or []
    if len(rates) == 1 and rates[0]["from"] == rates[0]["to"]:
        return {"request_rate": float(rates[0]["from"])}
    return {}


def _first(column: Any) -> str:
    return str(column[0].as_py()) if len(column) else ""
