"""The words of ``tokentape profile``: what is refused and how, files of options, and what a run leaves."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from completed_runs import assert_completed
from tokentape.engine.cli.common.grouped_command import repeated
from tokentape.engine.tape.read import open_tape

RUN = "profile -m m --request-count 8 --isl 12 --osl 3 --concurrency 2 --artifact-dir out --quiet"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("", "127.0.0.1:1 refuses connections"),
        ("--service-kind triton", "--endpoint-type triton_generate"),
        ("--service-kind tensorrtllm_engine", "serve the engine (trtllm-serve)"),
        ("--service-kind dynamic_grpc", "does not support gRPC"),
        ("--endpoint-type picture", "--endpoint-type 'picture' is unknown; write one of chat, completions"),
        ("--tokenizer no/such-tokenizer", "hf download no/such-tokenizer"),
        ("--input-file none.jsonl", "none.jsonl: there is no such file"),
        ("--input-file bad.jsonl", "bad.jsonl, line 2: has none of text, prompt, messages, payload"),
        ("--input-file texts.csv --dataset-column question", "question"),
        ("--bogus 3", "No such option '--bogus'"),
        ("--session-concurrency 3", "--session-concurrency: only traces have sessions"),
        ("--request-rate 0", "0.0 is not in the range x>0"),
        ("--arrival poisson", "--arrival is for requests at a rate; add --request-rate"),
        ("--request-rate 3 --burstiness 2", "add --arrival gamma"),
        ("--concurrency 2 --workers 3", "--workers 3 cannot share --concurrency 2; use fewer workers"),
        ("--request-rate 9 --concurrency 2 --workers 3", "--workers 3 cannot share --concurrency 2; use fewer workers"),
        ("--request-rate 9 --max-prefilling 2 --workers 3", "--workers 3 cannot share --max-prefilling 2; use fewer"),
        (
            "-u http://127.0.0.1:2 --concurrency 1",
            "2 servers cannot share --concurrency 1, because each needs its own worker; raise it, or give",
        ),
        ("--goodput foo:3", "unknown key 'foo'; write one of time_to_first_token"),
        ("--goodput request_latency:500ms", "the number in ms and without a unit, such as request_latency:500"),
        ("--slo ttft:p99:300", "SLO 'ttft:p99:300': the limit 300 has no unit; write 300ms or 300s"),
        ("--slo ttft", "write METRIC:LIMIT"),
        ("--slo ttft:300ms", "add --streaming"),
        ("--goodput inter_token_latency:30", "add --streaming"),
        ("--endpoint-type embeddings --streaming", "embeddings does not stream"),
        ("--batch-size 3", "chat takes one text per request"),
        ("--extra-inputs {bad", "is not JSON"),
        ("--extra-inputs a:", "write NAME:VALUE or a JSON object"),
        ("--ramp 3s:x", "write TIME or TIME:STEPS"),
        ("--duration soon", "--duration: 'soon' is not a duration"),
        ("--sequence-distribution 3,4", "write ISL,OSL:WEIGHT pairs"),
        ("--dialect nope", "it is one of tokentape, genai-perf"),
        ("-f none.yaml", "none.yaml: cannot be read"),
        ("-f typo.yaml", "no such option 'request-rat'; did you mean 'request-rate'?"),
        ("-f list.yaml", "contains no options"),
        ("-f broken.yaml", "not YAML"),
        ("--fixed-schedule", "give it with --input-file"),
        ("--fixed-schedule --input-file t.jsonl --request-rate 3", "leave out --request-rate"),
        ("--url-weights 3,4", "needs --url-strategy weight"),
        ("-m b c --model-selection-strategy weight --model-weights 3,1", "has 2 numbers, but --model has 3 values"),
        ("--simulate", "--simulate and --url both name a server"),
        ("--cancel-share 0.3", "must be given together"),
        ("--input-file bad.jsonl --input-dataset openorca", "leave one out"),
        ("--rate-series none.csv --request-rate 2", "both set the rate"),
        ("--endpoint-type template", "--request-template FILE"),
        ("--endpoint-type template --request-template none.j2", "none.j2: cannot be read"),
        ("--endpoint-type template --request-template t.j2 --response-field x=y", "'x' is not a role"),
        ("--response-field text=a", "need --endpoint-type template"),
        ("--image-width-mean 3", "must be given together"),
        ("--num-prefix-prompts -1", "-1 is not in the range"),
    ],
)
def test_what_cannot_be_done_is_told(run_cli: Any, tmp_path: Path, words: str, problem: str) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{"foo": 1}\n')
    (tmp_path / "texts.csv").write_text("text,length\nhello,1\n")
    (tmp_path / "typo.yaml").write_text("request-rat: 3\n")
    (tmp_path / "list.yaml").write_text("- 3\n")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "t.j2").write_text("{}")
    result = run_cli("profile", "-m", "a", *shlex.split(words), "-u", "http://127.0.0.1:1", "--quiet")
    assert result.returncode == 2
    assert problem in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not list(tmp_path.glob("**/*.tape"))


def test_several_words_after_one_name() -> None:
    several = ["-m", "--model"]
    assert repeated(["-m", "a", "b", "--streaming"], several) == ["-m", "a", "-m", "b", "--streaming"]
    assert repeated(["--osl", "3", "-m", "a"], several) == ["--osl", "3", "-m", "a"]
    assert repeated(["-m", "a", "-u", "b", "c"], several) == ["-m", "a", "-u", "b", "c"]
    assert repeated(["--model", "a", "b", "c"], several) == ["--model", "a", "--model", "b", "--model", "c"]


def test_a_file_of_options_and_back(run_cli: Any, simulator: Any, tmp_path: Path) -> None:
    url = simulator(ttft="2ms", itl="1ms").url
    dumped = run_cli(*shlex.split(RUN), "-u", url, "-H", "X-One: 1", "-H", "X-Two: 2", "--dump-config", "-")
    assert dumped.returncode == 0
    (tmp_path / "run.yaml").write_text(dumped.stdout)
    assert "synthetic-input-tokens-mean: 12" in dumped.stdout
    result = run_cli("profile", "-f", "run.yaml", "--request-count", "5")
    assert_completed(result.returncode, tmp_path, result.stderr)
    (path,) = (tmp_path / "out").glob("*.tape")
    tape = open_tape(path)
    assert len(tape.requests) == 5  # the command line goes before the file
    assert tape.manifest["options"]["headers"] == ["X-One", "X-Two"]
    assert tape.manifest["load"]["concurrency"] == 2


def test_results_for_programs(run_cli: Any, simulator: Any) -> None:
    url = simulator(ttft="2ms", itl="1ms").url
    result = run_cli(*shlex.split(RUN), "-u", url, "--streaming", "--format", "json", "--slo", "ttft:1s")
    summary = json.loads(result.stdout)
    assert summary["requests"]["ok"] == 8
    assert summary["rates"]["goodput_from_send_requests_per_s"]["value"] > 0


def test_the_tape_lies_where_out_says(run_cli: Any, simulator: Any, tmp_path: Path) -> None:
    url = simulator(ttft="2ms", itl="1ms").url
    assert_completed(run_cli(*shlex.split(RUN), "-u", url, "--out", "my.tape").returncode, tmp_path)
    assert len(open_tape(tmp_path / "my.tape").requests) == 8
    again = run_cli(*shlex.split(RUN), "-u", url, "--out", "my.tape")
    assert again.returncode == 2
    assert "my.tape exists" in again.stderr


def test_a_trace_at_its_own_times(run_cli: Any, simulator: Any, small_trace: Any, tmp_path: Path) -> None:
    url = simulator(ttft="2ms", itl="1ms").url
    words = ["profile", "-m", "m", "-u", url, "--fixed-schedule", "--input-file", small_trace(6), "--streaming"]
    result = run_cli(*words, "--out", "fixed.tape")
    assert_completed(result.returncode, tmp_path, result.stderr)
    assert len(open_tape(tmp_path / "fixed.tape").requests) == 6


def test_an_api_of_ones_own(run_cli: Any, simulator: Any, tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text(
        '{"prompt": {{ text|tojson }}, "max_tokens": {{ output_tokens }}, "stream": {{ stream|tojson }}}'
    )
    fields = ["text=choices[].text", "finish=choices[].finish_reason"]
    result = run_cli(
        *shlex.split(RUN), "--streaming", "--endpoint-type", "template", "--endpoint", "/v1/completions",
        "--request-template", "t.j2", *(word for field in fields for word in ("--response-field", field)),
        "-u", simulator(ttft="2ms", itl="1ms").url, "--out", "own.tape",
    )  # fmt: skip
    assert_completed(result.returncode, tmp_path, result.stderr)
    tape = open_tape(tmp_path / "own.tape")
    assert tape.requests["output_tokens"].to_pylist() == [3] * 8
    assert set(tape.requests["endpoint"].to_pylist()) == {"template"}


def test_a_server_that_refuses_a_field_is_asked_without_it(run_cli: Any, raw_server: Any, tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []

    def handler(exchange: Any) -> None:
        while (request := exchange.request()) is not None:
            bodies.append(json.loads(request.partition(b"\r\n\r\n")[2]))
            if "ignore_eos" in bodies[-1]:
                message = "Unrecognized request argument supplied: ignore_eos"
                exchange.respond(json.dumps({"error": {"message": message}}).encode(), "400 Bad Request")
                continue
            choice = {"message": {"content": "a"}, "finish_reason": "stop"}
            exchange.respond(json.dumps({"choices": [choice], "usage": {"completion_tokens": 1}}).encode())

    result = run_cli(*shlex.split(RUN), "-u", raw_server(handler).url, "--out", "x.tape")
    assert_completed(result.returncode, tmp_path, result.stderr)
    assert "the server rejects the field 'ignore_eos'" in result.stderr
    assert ["ignore_eos" in body for body in bodies] == [True] + [False] * 9
    assert open_tape(tmp_path / "x.tape").requests["outcome"].to_pylist() == ["ok"] * 8


def test_an_unknown_model_is_told_with_the_servers_list(run_cli: Any, raw_server: Any) -> None:
    def handler(exchange: Any) -> None:
        while (request := exchange.request()) is not None:
            if request.startswith(b"GET"):
                exchange.respond(b'{"data": [{"id": "llama-3"}, {"id": "qwen-3"}]}')
            else:
                message = "The model `m` does not exist."
                error = {"message": message, "code": "model_not_found"}
                exchange.respond(json.dumps({"error": error}).encode(), "404 Not Found")

    result = run_cli(*shlex.split(RUN), "-u", raw_server(handler).url)
    assert result.returncode == 2
    assert "llama-3" in result.stderr
    assert "qwen-3" in result.stderr
