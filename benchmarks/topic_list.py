"""``fink kafka topic list`` against a bare confluent-kafka listing: whole processes, in turn.

A real cluster of 20 topics; both log in as its administrator, and print a line for each topic.
Goal: at most 2.0 times. Run it with ``make bench``.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from access import seconds
from night import cluster, fink

from fink_cli.settings import resolve_connection

BARE = """
import sys
from confluent_kafka.admin import AdminClient
client = AdminClient(dict(line.rstrip("\\n").split("=", 1) for line in sys.stdin))
for name, topic in sorted(client.list_topics(timeout=30).topics.items()):
    print(name, len(topic.partitions))
"""
ROUNDS = 20
TOPICS = 20
GOAL = 2.0


def main() -> None:
    """Time both in turn and print the medians and the median ratio."""
    program = Path(sys.executable).with_name("fink")
    with cluster():
        fink("kafka", "topic", "create", *(f"topic_{number}" for number in range(TOPICS)))
        settings = "\n".join(f"{k}={v}" for k, v in resolve_connection().librdkafka().items())
        ours = [str(program), "kafka", "topic", "list"]
        bare = [sys.executable, "-c", BARE]
        pairs = [(seconds(ours), seconds(bare, settings)) for _ in range(ROUNDS + 1)][1:]
    for name, at in (("elapsed", 0), ("of a core", 1)):
        mine = statistics.median(pair[0][at] for pair in pairs)
        rival = statistics.median(pair[1][at] for pair in pairs)
        ratio = statistics.median(pair[0][at] / pair[1][at] for pair in pairs)
        print(f"{name}: fink {mine * 1000:.0f} ms, bare {rival * 1000:.0f} ms, {ratio:.2f} times")
    print(f"goal: at most {GOAL} times, elapsed")


if __name__ == "__main__":
    main()
