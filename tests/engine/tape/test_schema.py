"""The schemas are the contract with warehouses: names and types are spelled out here once more."""

import numpy as np
import pyarrow as pa
import pytest
from tokentape.engine.tape.schema import EVENTS, EVENTS_JOURNAL, KINDS, REQUESTS, conform, events_batch


def test_events_are_flat_columns_with_fixed_types() -> None:
    assert [(f.name, str(f.type), f.nullable) for f in EVENTS] == [
        ("request_id", "int64", False),
        ("event", "int32", False),
        ("arrival_ns", "int64", False),
        ("read_ns", "int64", False),
        ("kind", "string", False),
        ("tokens", "int32", True),
        ("bytes", "int32", False),
        ("coalesced", "bool", False),
    ]


def test_requests_name_every_stamp_in_ns_and_the_start_in_us() -> None:
    stamps = [f for f in REQUESTS if f.name.endswith("_ns")]
    assert {f.type for f in stamps} == {pa.int64()}
    assert [f.name for f in stamps if not f.nullable] == ["scheduled_ns"]
    assert REQUESTS.field("started_at").type == pa.timestamp("us", tz="UTC")
    assert not any(pa.types.is_nested(f.type) for f in REQUESTS)


def test_kinds_have_the_codes_of_the_core() -> None:
    assert KINDS[:4] == ("token", "reasoning", "tool_call", "role")
    assert KINDS[4:] == ("usage", "done", "error", "comment", "other")


def test_events_batch_makes_null_of_minus_one_only() -> None:
    n = 3
    batch = events_batch(
        np.arange(n),
        np.arange(n, dtype=np.int32),
        np.arange(n) * 10,
        np.arange(n) * 10 + 1,
        np.array([0, 4, 5], np.uint8),
        np.array([0, -1, 7], np.int32),
        np.full(n, 9, np.int32),
        np.array([0, 1, 0], np.uint8),
    )
    assert batch.schema == EVENTS_JOURNAL
    assert batch["tokens"].to_pylist() == [0, None, 7]
    assert batch["coalesced"].to_pylist() == [False, True, False]


SCHEMA = pa.schema([pa.field("a", pa.int32(), False), pa.field("b", pa.string())])


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"a": pa.array([1], pa.int32()), "c": pa.array([1])}, "does not have: \\['c'\\]"),
        ({"b": pa.array(["x"])}, "'a' is missing"),
        ({"a": pa.array([1], pa.int64())}, "'a' is int64, not int32"),
        ({"a": pa.array([None], pa.int32())}, "'a' has 1 nulls"),
    ],
)
def test_conform_names_the_wrong_column(columns: dict[str, pa.Array], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        conform(pa.RecordBatch.from_pydict(columns), SCHEMA)


def test_conform_fills_in_what_may_be_left_out() -> None:
    batch = conform(pa.RecordBatch.from_pydict({"a": pa.array([1], pa.int32())}), SCHEMA)
    assert batch.to_pylist() == [{"a": 1, "b": None}]
