"""``tokentape profile --fixed-schedule``: replay the input file, a trace, at its recorded times."""

import time
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...requests.endpoints import find_endpoint
from ..common.transport_options import transport_settings
from .profile_options import GENAI_PERF_URL

NOT_OF_A_SCHEDULE = ("concurrency", "request_rate", "rate_series", "duration", "count", "ramp", "input_dataset")


def run_fixed_schedule(given: dict[str, Any]) -> int:
    """Replay the trace, print the summary, and return the exit code.

    Raises:
        UserError: There is no trace, or another option sets the load.
    """
    from ...workloads.options import ReplayOptions
    from ..replay import run_replay

    if given["input_file"] is None:
        raise UserError("--fixed-schedule replays a trace; give it with --input-file")
    for name in NOT_OF_A_SCHEDULE:
        if given[name] is not None:
            raise UserError(
                f"--fixed-schedule sends at the recorded times of the trace; leave out --{name.replace('_', '-')}"
            )
    if len(given["urls"]) > 1 or len(given["models"]) > 1:
        raise UserError("--fixed-schedule takes one --url and one --model")
    trace = Path(given["input_file"])
    urls = () if given["simulate"] else given["urls"] or (GENAI_PERF_URL,)
    options = ReplayOptions(
        url=urls[0] if urls else None,
        endpoint=find_endpoint(given["endpoint_type"]).name,
        model=given["models"][0] if given["models"] else None,
        stream=given["streaming"],
        ignore_eos=given["ignore_eos"] is not False,
        **{name: given[name] for name in ("usage", "workers", "tokenizer", "seed", "keep_bodies")},
        **transport_settings(given),
    )
    base = given["artifact_dir"] or Path()
    out = given["out"] or base / f"{trace.stem}-{time.strftime('%Y%m%d-%H%M%S')}.tape"
    return run_replay(trace, out, options, given)
