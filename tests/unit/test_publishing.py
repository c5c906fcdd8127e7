"""What goes to the ledger of the alerts that a micro-batch left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fink_cli.distribution.delivery import Sent
from fink_cli.distribution.publishing import never_sent
from fink_cli.distribution.spark.decide import Decider
from fink_cli.distribution.streams import Stream


@pytest.mark.parametrize("name", [None, "by_class"])
def test_what_an_interrupted_attempt_sent_is_not_kept_as_left_out(name: str | None) -> None:
    by_class = Stream(
        **{"topic": "f_{class}", "name": name, "class": "kind", "classes": ["A", "B"]}
    )
    streams = [by_class, Stream(topic="all")]
    routes = [route for stream in streams for route in stream.routes()]
    nothing: Any = None
    plan: Any = SimpleNamespace(decider=Decider(streams, {}, routes, nothing))
    sent = [Sent("1", routes[0].stream, "f_a"), Sent("2", "all", "all")]
    # The first stream raised on both, the second on both.
    left = [("1", -1), ("2", -1), ("1", -2), ("2", -2)]
    assert never_sent(plan, left, sent) == [("2", -1), ("1", -2)]
