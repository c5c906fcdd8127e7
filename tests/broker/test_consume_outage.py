"""`fink consume` in a group whose broker goes away and comes back."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.broker.watching import Fink, messages, numbers, running


def test_what_was_shown_after_an_outage_is_committed(
    fink: Fink, cluster: Any, topic: str, publish: Any
) -> None:
    publish(topic, *messages(1000))
    words = ("consume", "--topic", topic, "-g", f"g-{topic}", "-o", "json")
    with running(cluster.environ, *words, "--limit", "2000") as process:
        # It waits in the middle: there is no room for its lines before somebody reads on.
        assert process.stdout is not None
        assert process.stdout.readline()
        assert fink("kafka", "stop").returncode == 0
        assert fink("kafka", "start").returncode == 0
        publish(topic, *messages(1000, first=1000))
        time.sleep(3)  # then it has all, and the error of the connection among it
        shown, said = process.communicate(timeout=90)
    assert process.returncode == 0, said
    assert "committed" not in said
    last = json.loads(shown.splitlines()[-1])["alert"]["number"]
    assert numbers(fink(*words, "--until-end")) == list(range(last + 1, 2000))
