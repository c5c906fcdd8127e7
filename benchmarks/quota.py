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
WARM_SECONDS = 15
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
    """Measure alone, beside a greedy reader, and beside one with a quota; print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=45)
    seconds = parser.parse_args().seconds
    with cluster():
        fink("kafka", "topic", "create", LIVE, OLD)
        os.environ["FINK_NEW_PASSWORD"] = PASSWORD
        fink("auth", "add", "-u", USER)
        fink("acl", "add", "-u", USER, "-t", OLD)
        producer = Producer({**resolve_connection().librdkafka(), "linger.ms": 0})
        fill(producer)
        for name in ("alone", "beside a greedy one", "beside one with 1 MB/s", "alone again"):
            rates: list[float] = []
            if name == "beside one with 1 MB/s":
                fink("auth", "quota", "-u", USER, "--consume", "1MB/s")
            if name.startswith("beside"):
                with greedy(seconds) as rates:
                    took = latencies(producer, seconds)
            else:
                took = latencies(producer, seconds)
            cuts = statistics.quantiles(took, n=100)
            print(
                f"{name}: p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms, "
                f"longest {max(took) * 1000:.0f} ms of {len(took)}; "
                f"the greedy one read {sum(rates) / 1e6:.1f} MB/s",
                flush=True,
            )


if __name__ == "__main__":
    main()
