"""Write the locks of the jars: ``python tools/lock_jars.py`` after a change of the versions below.

Kafka's list is what jgo resolves for the broker, and a binding of its log. Spark's is short on
purpose: PySpark carries the Hadoop client that a resolution would bring again.
"""

import hashlib
import tempfile
from pathlib import Path

from jgo.maven import MavenContext

KAFKA = "4.3.1"
SPARK = "4.0.0"
# Added as it is, with the log4j that Kafka resolves: its own tree would override Kafka's versions.
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
SPARK_JARS = [
    f"org.apache.spark:spark-sql-kafka-0-10_2.13:{SPARK}",
    f"org.apache.spark:spark-token-provider-kafka-0-10_2.13:{SPARK}",
    f"org.apache.spark:spark-avro_2.13:{SPARK}",
    "org.apache.kafka:kafka-clients:3.9.0",
    "org.apache.commons:commons-pool2:2.12.0",
]
JARS = Path(__file__).parent.parent / "fink_cli" / "jars"


def resolve(context: MavenContext, coordinate: str) -> list[str]:
    """The coordinate with all that it needs."""
    inputs, more = context.resolver.resolve([context.create_dependency(coordinate)])
    return sorted({f"{d.groupId}:{d.artifactId}:{d.version}" for d in [*inputs, *more]})


def line(context: MavenContext, coordinate: str) -> str:
    """One jar's line of a lock."""
    content = Path(context.create_dependency(coordinate).artifact.resolve()).read_bytes()
    return f"{hashlib.sha256(content).hexdigest()} {len(content)} {coordinate}\n"


def main() -> None:
    """Resolve, fetch and write both locks."""
    with tempfile.TemporaryDirectory() as cache:
        context = MavenContext(repo_cache=Path(cache), timeout=60)
        for name, coordinates in {
            "kafka": [*resolve(context, f"org.apache.kafka:kafka_2.13:{KAFKA}"), LOG_BINDING],
            "spark": SPARK_JARS,
        }.items():
            head = "# sha256 bytes group:artifact:version, written by tools/lock_jars.py\n"
            text = head + "".join(line(context, each) for each in coordinates)
            (JARS / f"{name}.lock").write_text(text)
            print(f"{name}: {len(coordinates)} jars")


if __name__ == "__main__":
    main()
