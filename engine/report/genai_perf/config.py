"""What ran, as GenAI-Perf's configuration says it: the `input_config` of its JSON file."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from ...tape.read import Tape
from .requests import planned_rate

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
    concurrency = (tape.manifest.get("load") or {}).get("concurrency")
    load = {"concurrency": concurrency} if isinstance(concurrency, int) else {"request_rate": planned_rate(main)}
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
        "perf_analyzer": {"stimulus": load},
        "input": {
            "random_seed": int(options.get("seed") or 0),
            "goodput": {key: float(number) for key, _, number in (word.partition(":") for word in goodput)},
        },
        "output": {"artifact_directory": "artifacts", "profile_export_file": profile_export_name},
        "tokenizer": {"name": str(options.get("tokenizer") or "")},
    }


def _first(column: Any) -> str:
    return str(column[0].as_py()) if len(column) else ""
