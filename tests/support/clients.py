"""The field's clients, as their users have them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fink_cli.cluster.install import kafka_jars
from fink_cli.jars import Jar, fetch
from fink_cli.paths import cache_folder

# Where hop-client and fink-client are installed: beside the tests, or in an environment of theirs.
CLIENTS = Path(os.environ.get("FINK_TEST_CLIENTS") or sys.prefix) / "bin"
# The console tools are in a jar of their own, which a broker does without.
_TOOLS = Jar(
    "62f3c5dd7aa3442d4c5bc6a95f86e2502178ea09de8e27f74d9563bf955e253c",
    698_668,
    "org.apache.kafka:kafka-tools:4.3.1",
)
CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
# Arguments: the client file, a topic, and a text of the message after which it ends.
READ_WITH_LIBRDKAFKA = """
import sys
from confluent_kafka import Consumer
file, topic, last = sys.argv[1:]
with open(file) as lines:
    settings = dict(line.rstrip("\\n").split("=", 1) for line in lines)
settings["error_cb"] = lambda error: print("error:", error, flush=True)
consumer = Consumer(settings | {"auto.offset.reset": "earliest"})
consumer.subscribe([topic])
text = ""
while last not in text:
    message = consumer.poll(60)
    if message is None:
        sys.exit("no message")
    text = str(message.error() or message.value())
    print(text, flush=True)
consumer.close()
"""


def kafka_tools() -> list[str]:
    """Return the beginning of the command that runs a class of Kafka's own console tools."""
    [tools] = fetch([_TOOLS], cache_folder() / "kafka-tools", lambda *_: None)
    jars = [*kafka_jars(lambda *_: None), tools]
    return ["java", "-cp", os.pathsep.join(map(str, jars))]
