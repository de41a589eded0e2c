"""Recorded prompts are sent as they were; a namespace sets them apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import pyarrow as pa
import pytest
from tokentape.traces import TraceError, read, sample_path
from tokentape.traces.prompts.prompts import Prompts
from tokentape.traces.table import TRACE_SCHEMA, Trace

Form = Literal["text", "token_ids"]


def with_columns(**columns: Sequence[Any]) -> Trace:
    """The sample's first rows with other values in some columns."""
    rows = len(next(iter(columns.values())))
    trace = read(sample_path())
    table = trace.table.slice(0, rows)
    for name, values in columns.items():
        field = TRACE_SCHEMA.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))
    return replace(trace, table=table)


def texts(prompts: Prompts) -> list[str]:
    return [json.loads(b'"' + prompts.compose(row) + b'"') for row in range(len(prompts))]


def test_texts_are_sent_as_recorded() -> None:
    recorded = ['say "é"\n\\', "", "\u2028 \U0001f600 \x00"]
    prompts = Prompts(with_columns(text=recorded), form="text")
    assert texts(prompts) == recorded
    assert not prompts.exact


def test_rows_without_a_text_are_composed_as_ever() -> None:
    mixed, plain = (Prompts(with_columns(text=column), form="text") for column in (["x", None], [None, None]))
    assert texts(mixed) == ["x", texts(plain)[1]]
    assert plain.exact


def test_token_ids_are_sent_as_recorded() -> None:
    prompts = Prompts(with_columns(token_ids=[[5, 0, 77], None]), form="token_ids")
    assert prompts.compose(0) == b"5,0,77"
    assert len(prompts.compose(1).split(b",")) == prompts.planned_tokens(1)
    assert prompts.exact


@pytest.mark.parametrize(("form", "columns"), [("text", {"text": ["a b"]}), ("token_ids", {"token_ids": [[1, 2]]})])
def test_a_namespace_stands_in_front(form: Form, columns: dict[str, Any]) -> None:
    trace = with_columns(**columns)
    plain = Prompts(trace, form=form).compose(0)
    one, again, other = (Prompts(trace, form=form, namespace=name).compose(0) for name in ("one", "one", "other"))
    separator = b" " if form == "text" else b","
    assert one == again
    assert one.endswith(separator + plain)
    assert one.split(separator)[0] != other.split(separator)[0]
    json.loads(b'"' + one + b'"' if form == "text" else b"[" + one + b"]")


def test_bodies_are_handed_over_as_recorded() -> None:
    prompts = Prompts(with_columns(body=[b'{ "model":"m"}', None]), form="text", namespace="fresh")
    assert [prompts.body(row) for row in range(2)] == [b'{ "model":"m"}', None]
    assert Prompts(with_columns(text=["x"]), form="text").body(0) is None


@pytest.mark.parametrize(
    ("form", "columns", "way"),
    [
        ("text", {"token_ids": [[1], None]}, "of 1 rows as token ids; send them with --endpoint completions"),
        ("token_ids", {"text": ["a", "b"]}, "of 2 rows as texts; send them with --prompt-form text"),
    ],
)
def test_the_other_form_is_refused(form: Form, columns: dict[str, Any], way: str) -> None:
    with pytest.raises(TraceError, match=way):
        Prompts(with_columns(**columns), form=form)


@pytest.mark.parametrize(("form", "column"), [("text", "token_ids"), ("token_ids", "text")])
def test_a_row_that_has_a_body_may_have_the_other_form(form: Form, column: str) -> None:
    value: Any = [1] if column == "token_ids" else "a"
    assert Prompts(with_columns(**{column: [value], "body": [b"{}"]}), form=form).body(0) == b"{}"
