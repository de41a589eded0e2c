"""The facts about the machine, for the manifest."""

import json
import os
import platform

from tokentape.engine.host import clock_pair, host


def test_a_host_can_be_written_down() -> None:
    facts = host()
    assert json.loads(json.dumps(facts)) == facts | {"load_average": list(facts["load_average"])}
    assert facts["kernel"] == platform.release()
    assert 1 <= facts["usable_cores"] <= facts["cores"] == os.cpu_count()
    assert facts["memory_bytes"] > 1 << 20


def test_a_clock_pair_is_bracketed_and_goes_on() -> None:
    first, second = clock_pair(), clock_pair()
    assert first["uncertainty_ns"] >= 0
    assert first["mono_ns"] + first["uncertainty_ns"] // 2 <= second["mono_ns"]
