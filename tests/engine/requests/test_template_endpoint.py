"""An API that a template describes: its bodies, its answers, and what is wrong with a template."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tokentape.cext.parsers import Dialect, parse_response
from tokentape.engine.errors import UserError
from tokentape.engine.requests.endpoints import BodyCompleter, BodyOptions, Endpoint, response_fields, template_endpoint
from tokentape.engine.requests.template_renderer import TemplateRenderer
from tokentape.traces.content import Content

WIRE = Path(__file__).parents[2] / "wire"
NATIVE = '{"prompt": {{ text|tojson }}, "n_predict": {{ output_tokens }}, "stream": {{ stream|tojson }}}'
LONG = "range(100000)"
SLOW = "more than 1 s of processor time"
FIELDS = [
    "text=content",
    "end=stop",
    "finish=stop_type",
    "input_tokens=tokens_evaluated",
    "output_tokens=tokens_predicted",
]


def endpoint(text: str = NATIVE) -> Endpoint:
    return template_endpoint("/completion", text, response_fields(FIELDS), name="body.j2")


def test_a_generated_prompt_and_a_row_give_one_body() -> None:
    body = endpoint().body(BodyOptions("m", extra={"n_keep": 1}))
    expected = {"prompt": 'say "é" % <&>', "n_predict": 7, "stream": True, "n_keep": 1}
    assert json.loads(body.render(rb"say \"\u00e9\" % <&>", 7)) == expected
    fields = endpoint().content(Content(text='say "é" % <&>'))
    assert json.loads(BodyCompleter(body).compose(fields, 7)) == expected


def test_all_variables() -> None:
    text = (
        """{"m": {{ model|tojson }}, "t": {{ texts|tojson }}, "c": {{ messages|tojson }}, "i": {{ images|tojson }}}"""
    )
    completion = BodyCompleter(endpoint(text).body(BodyOptions("a/b")))
    one = json.loads(completion.compose(endpoint(text).content(Content(text="x", images=("u",))), 1))
    assert one == {"m": "a/b", "t": ["x"], "c": [{"role": "user", "content": "x"}], "i": ["u"]}
    more = Content(texts=("x", "y"), messages=({"role": "user", "content": "z"},), payload={"m": 1})
    body = json.loads(completion.compose(endpoint(text).content(more), 1))
    assert body == {"m": 1, "t": ["x", "y"], "c": [{"role": "user", "content": "z"}], "i": []}


def test_llama_cpps_own_api_by_a_template() -> None:
    scans = parse_response([(WIRE / "llama_native.bin").read_bytes()], Dialect(endpoint().fields)).scans
    assert [scan.kind for scan in scans] == ["token", "token", "token", "done"]
    assert b"".join(scan.text or b"" for scan in scans) == b", the city"
    assert (scans[-1].input_tokens, scans[-1].output_tokens, scans[-1].finish) == (4, 3, b"limit")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ text", "body.j2, line 1: "),
        ('{"p": {{ promt|tojson }}}', "body.j2, line 1: 'promt' is undefined; a template knows text, texts"),
        ('{"p": "{{ text }}" "q"}', r"body.j2 does not render JSON .*near .*text\|tojson"),
        ("[1]", "body.j2 renders a list; it must render a JSON object"),
        ('{"p": {{ (text + 1)|tojson }}}', "body.j2, line 1: TypeError: "),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "body.j2, line 1: the template is not safe.*'__class__'"),
        ('{"p":\n{{ text.__init__.__globals__ }}}', "body.j2, line 2: the template is not safe"),
        ("{{ [].append(1) }}", "body.j2, line 1: the template is not safe"),
        ("{% for a in range(10**8) %}{% endfor %}", "body.j2, line 1: .*Range too big"),
        (
            f"{{% for a in {LONG} %}}{{% for b in {LONG} %}}x{{% endfor %}}{{% endfor %}}",
            "more than 1 s of processor time",
        ),
        (
            f"{{% for a in {LONG} %}}{{% for b in {LONG} %}}{{% endfor %}}{{% endfor %}}",
            "more than 1 s of processor time",
        ),
        ("{{ 'x' * 10**10 }}", "more than 1 GiB of memory"),
        ("{{ 'x'|center(10**10) }}", "more than 1 GiB of memory"),
        ("{{ 'x' * 10**8 }}", "more than 64 MiB"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
    ],
)
def test_bad_templates(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        endpoint(text).body(BodyOptions("m")).render(b"x", 1)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("content", "write ROLE=PATH"),
        ("text=", "write ROLE=PATH"),
        ("words=content", "'words' is not a role; the roles are text, "),
        ("text=a..b", "'a..b' cannot be added"),
    ],
)
def test_bad_response_fields(word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        response_fields([word])
    with pytest.raises(UserError, match="has the role 'text' already"):
        response_fields(["text=a", "end=a"])


def test_a_template_that_was_stopped_leaves_no_process_behind() -> None:
    renderer = TemplateRenderer(NATIVE, "body.j2")
    pid = renderer._process.pid
    renderer.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_many_bodies_come_from_one_process_in_any_thread() -> None:
    body = endpoint().body(BodyOptions("m"))
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: json.loads(body.render(b"w%d" % n, n)), range(200)))
    assert [(one["prompt"], one["n_predict"]) for one in made] == [(f"w{n}", n) for n in range(200)]
