"""Errors of Kafka as errors for the user."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from fink_cli.errors import UNREACHABLE, Attempt, UnreachableError
from fink_cli.kafka.client import kafka_errors


def test_an_answer_that_does_not_come_in_time() -> None:
    with pytest.raises(UnreachableError) as told, kafka_errors(Attempt("127.0.0.1:1")):
        Future[None]().result(0)
    assert told.value.exit_code == UNREACHABLE == 3
    assert "127.0.0.1:1" in str(told.value)
