"""llama.cpp's own server through its other APIs: OpenAI's, Anthropic's, and its own by a template."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokentape

pytestmark = pytest.mark.real_server

WriteTrace = Callable[..., Path]


@pytest.mark.parametrize(
    ("endpoint", "finish"),
    [("responses", None), ("messages", None), ("chat", "length"), ("completions", "length")],
)
@pytest.mark.parametrize("stream", [True, False])
def test_one_prompt_through_every_api(
    llama: str, write_trace: WriteTrace, tmp_path: Path, endpoint: str, finish: str | None, stream: bool
) -> None:
    trace = write_trace((0, 60, 12), (2000, 60, 9))
    tape = tokentape.replay(trace, tmp_path / "tape", url=llama, endpoint=endpoint, stream=stream, keep_bodies=True)
    rows = tape.requests.to_pylist()
    assert [(row["outcome"], row["error"]) for row in rows] == [("ok", None)] * 2
    told = [row["server_output_tokens"] for row in rows]
    if endpoint == "messages":  # it has no way to ask for a length, but for the longest
        assert all(0 < tokens <= asked for tokens, asked in zip(told, (12, 9), strict=True))
        assert {row["finish_reason"] for row in rows} <= {"max_tokens", "end_turn"}
    else:
        assert told == [12, 9]
        assert {row["finish_reason"] for row in rows} == {finish}
    assert all(row["server_input_tokens"] >= max(row["server_cached_tokens"] or 0, 50) for row in rows)
    ends = {"responses": "terminal_event", "messages": "terminal_event"}
    if stream:
        assert {row["end_marker"] for row in rows} == {ends.get(endpoint, "done")}
        assert all(row["first_visible_ns"] == row["first_token_ns"] for row in rows)
        assert all(1 < row["output_events"] <= row["output_tokens"] for row in rows)
    assert all(row["response_text"] for row in tape.read("bodies").to_pylist())


def test_its_own_api_by_a_template(llama: str, write_trace: WriteTrace, tmp_path: Path) -> None:
    template = tmp_path / "body.j2"
    template.write_text(
        '{"prompt": {{ text|tojson }}, "n_predict": {{ output_tokens }}, "stream": {{ stream|tojson }},'
        ' "ignore_eos": true, "return_tokens": true}'
    )
    fields = ["text=content", "token_ids=tokens", "end=stop", "finish=stop_type", "error=error"]
    counts = ["input_tokens=tokens_evaluated", "output_tokens=tokens_predicted"]
    api = {"model": "any", "endpoint": "template", "template": template, "response_fields": [*fields, *counts]}
    tape = tokentape.replay(
        write_trace((0, 60, 12), (2000, 60, 9)), tmp_path / "tape", url=f"{llama}/completion", **api
    )
    rows: list[dict[str, Any]] = tape.requests.to_pylist()
    assert [(row["outcome"], row["error"]) for row in rows] == [("ok", None)] * 2
    assert [row["server_output_tokens"] for row in rows] == [12, 9]
    assert {row["end_marker"] for row in rows} == {"terminal_event"}
    assert {row["finish_reason"] for row in rows} == {"limit"}
