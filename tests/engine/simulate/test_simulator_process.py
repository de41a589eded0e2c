"""The simulator as a process of its own."""

import http.client

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.simulate.simulator_process import simulated_server


def test_it_answers_within_and_is_gone_afterwards() -> None:
    with simulated_server(["--model", "mine"]) as url:
        address = url.removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=20)
        connection.request("GET", "/v1/models")
        assert b'"mine"' in connection.getresponse().read()
        connection.close()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(address, timeout=20).connect()


def test_one_that_does_not_start_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        pytest.raises(UserError, match=r"the simulator did not start \(exit status 2\)"),
        simulated_server(["--ttft", "x"]),
    ):
        raise AssertionError("it started")
    assert "'x' is not a duration" in capfd.readouterr().err
