"""What ran, as GenAI-Perf's configuration says it: the `input_config` of its JSON file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ...tape.read import Tape

_TYPES = {"chat": "chat", "completions": "completions", "embeddings": "embeddings"}


def config_of(
    tape: Tape, *, profile_export_name: str = "profile_export.json", goodput: Sequence[str] = ()
) -> dict[str, Any]:
    """A configuration for a tape that GenAI-Perf did not ask for; its `process-export-files` accepts it.

    The load is what the manifest says of a concurrency, else the rate at which requests were due.

    Args:
        tape: Any.
        profile_export_name: The file of one entry per request.
        goodput: Objectives as they were given, KEY:NUMBER each.

    Returns:
        Plain dicts for JSON, with the sections that GenAI-Perf writes.
    """
    options: Mapping[str, Any] = tape.manifest.get("options") or {}
    main = tape.read("requests", ("phase", "scheduled_ns", "model", "endpoint", "url"))
    main = main.filter(pc.equal(main["phase"], "main"))
    endpoint = _first(main["endpoint"])
    return {
        "model_names": [_first(main["model"])],
        "subcommand": "profile",
        "verbose": False,
        "analyze": {},
        "endpoint": {
            "model_selection_strategy": "round_robin",
            "type": _TYPES.get(endpoint, endpoint),
            "streaming": bool(tape.manifest.get("streaming")),
            "url": _first(main["url"]).partition("://")[2].partition("/")[0],
        },
        "perf_analyzer": {"stimulus": _stimulus(tape.manifest.get("load") or {}, main["scheduled_ns"].to_numpy())},
        "input": {
            "random_seed": int(options.get("seed") or 0),
            "goodput": {key: float(number) for key, _, number in (word.partition(":") for word in goodput)},
        },
        "output": {"artifact_directory": "artifacts", "profile_export_file": profile_export_name},
        "tokenizer": {"name": str(options.get("tokenizer") or "")},
    }


def _stimulus(load: Mapping[str, Any], scheduled_ns: np.typing.NDArray[np.int64]) -> dict[str, Any]:
    concurrency = load.get("concurrency")
    if isinstance(concurrency, int):
        return {"concurrency": concurrency}
    span = np.ptp(scheduled_ns) if len(scheduled_ns) else 0
    return {"request_rate": round((len(scheduled_ns) - 1) / (span / 1e9), 6) if span else 0.0}


def _first(column: Any) -> str:
    return str(column[0].as_py()) if len(column) else ""
