"""How long alerts take to a reader beside a greedy one, without a quota and with one of 1 MB/s.

A real cluster of one broker. Fifty messages a second of 50 KB are written to a topic, and a reader
follows it: the time of a message is from before it is handed to the producer to when the reader has
it. Beside that, four processes of one user read another topic from its beginning, again and again,
as fast as they can. They share the machine with the broker, so they take its processor as well as
its network. The first seconds of each part, over which Kafka averages, are left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, Producer
from night import cluster, fink

from fink_cli.settings import resolve_connection

LIVE, OLD, USER, PASSWORD = "live", "old", "greedy", "a-password-of-a-benchmark"
MESSAGE_BYTES, RATE, GREEDY = 50_000, 50, 4
OLD_MESSAGES = 4000
WARM_SECONDS = 12
READ_AGAIN = """
import sys, time
from confluent_kafka import Consumer, TopicPartition
settings = dict(line.rstrip("\\n").split("=", 1) for line in sys.stdin)
consumer = Consumer({**settings, "group.id": "greedy-none", "enable.auto.commit": False,
                     "enable.partition.eof": True})
consumer.assign([TopicPartition("old", 0, 0)])
end, count = time.monotonic() + float(sys.argv[1]), 0
warm, began = time.monotonic() + float(sys.argv[2]), time.monotonic()
while time.monotonic() < end:
    for message in consumer.consume(500, 0.5):
        if message.error() is not None:
            consumer.seek(TopicPartition("old", 0, 0))
        elif time.monotonic() > warm:
            count += len(message.value())
print(count / (end - warm))
"""


def fill(producer: Producer) -> None:
    """Write what the greedy reader reads."""
    for _ in range(OLD_MESSAGES):
        producer.produce(OLD, os.urandom(MESSAGE_BYTES))
        producer.poll(0)
    producer.flush(120)


@contextmanager
def greedy(seconds: float) -> Iterator[list[float]]:
    """Run the greedy readers; the rates that they had (bytes a second) are there at the end."""
    settings = resolve_connection().librdkafka() | {
        "sasl.username": USER,
        "sasl.password": PASSWORD,
    }
    text = "\n".join(f"{name}={value}" for name, value in settings.items())
    command = [sys.executable, "-c", READ_AGAIN, str(seconds), str(WARM_SECONDS)]
    readers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(GREEDY)
    ]
    for reader in readers:
        assert reader.stdin is not None
        reader.stdin.write(text)
        reader.stdin.close()
    rates: list[float] = []
    yield rates
    for reader in readers:
        assert reader.stdout is not None
        rates.append(float(reader.stdout.read()))
        reader.wait()


def latencies(producer: Producer, seconds: float) -> list[float]:
    """How long each message took, in seconds, after the first seconds."""
    consumer = Consumer({**resolve_connection().librdkafka(), "group.id": "other"})
    consumer.subscribe([LIVE])
    while not consumer.assignment():
        consumer.poll(0.2)
    began = time.monotonic()

    def write() -> None:
        for number in range(round(RATE * seconds)):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            body = repr(time.monotonic()).encode().ljust(32) + os.urandom(MESSAGE_BYTES - 32)
            producer.produce(LIVE, body)
            producer.poll(0)
        producer.flush(30)

    writer = threading.Thread(target=write)
    writer.start()
    took = []
    for _ in range(round(RATE * seconds)):
        message = consumer.poll(30)
        assert message is not None
        assert message.error() is None
        written = float(message.value()[:32])
        if written > began + WARM_SECONDS:
            took.append(time.monotonic() - written)
    writer.join()
    consumer.close()
    return took


def main() -> None:
    """Measure alone, beside a greedy reader, and beside one with a quota, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    parts = ("alone", "beside a greedy one", "beside one with 1 MB/s")
    cuts: dict[str, list[tuple[float, float]]] = {part: [] for part in parts}
    read: dict[str, list[float]] = {part: [] for part in parts}
    with cluster():
        fink("kafka", "topic", "create", LIVE, OLD)
        os.environ["FINK_NEW_PASSWORD"] = PASSWORD
        fink("auth", "add", "-u", USER)
        fink("acl", "add", "-u", USER, "-t", OLD)
        producer = Producer({**resolve_connection().librdkafka(), "linger.ms": 0})
        fill(producer)
        for _ in range(options.rounds):
            for part in parts:
                limit = ["--consume", "1MB/s"] if part == parts[2] else ["--remove"]
                fink("auth", "quota", "-u", USER, *limit)
                rates: list[float] = []
                if part == parts[0]:
                    took = latencies(producer, options.seconds)
                else:
                    with greedy(options.seconds) as rates:
                        took = latencies(producer, options.seconds)
                percentiles = statistics.quantiles(took, n=100)
                cuts[part].append((percentiles[49] * 1000, percentiles[98] * 1000))
                read[part].append(sum(rates) / 1e6)
    for part in parts:
        medians, worst = zip(*cuts[part], strict=True)
        print(
            f"{part}: p50 {statistics.median(medians):.1f} ms, p99 {statistics.median(worst):.1f} "
            f"ms (of rounds: {', '.join(f'{each:.0f}' for each in worst)}); "
            f"the greedy user read {statistics.median(read[part]):.1f} MB/s"
        )


if __name__ == "__main__":
    main()
