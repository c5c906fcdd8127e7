"""How Spark's Kafka clients log in.

The options of a source or sink stand in Spark's plans, which go to its event log and its UI, and
not all of that is redacted (Spark 4.0 redacts the description of a plan, but not its nodes). So the
option only names an environment variable, which Kafka's own client reads.
"""

from __future__ import annotations

import os

from pyspark import SparkConf, SparkContext

from fink_cli.connection import Connection

_JAAS = "sasl.jaas.config"
_VARIABLE = "FINK_JAAS"
_FROM_ENVIRONMENT = {
    _JAAS: f"${{env:{_VARIABLE}}}",
    "config.providers": "env",
    "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
}


def kafka_options(connection: Connection) -> dict[str, str]:
    """The options by which Spark's Kafka source and sink reach a cluster; none is a secret."""
    settings = connection.java()
    if _JAAS in settings:
        settings |= _FROM_ENVIRONMENT
    return {f"kafka.{name}": value for name, value in settings.items()}


def hand_over_login(conf: SparkConf, connection: Connection) -> None:
    """Start the JVM with the login in its environment, and have executors started with it too.

    Args:
        conf: the settings of the session; PySpark gives them to the JVM as arguments, so the one
            that holds the login is added once the JVM runs.
        connection: the cluster, and the login.
    """
    login = connection.java().get(_JAAS)
    if login is not None:
        os.environ[_VARIABLE] = login
    SparkContext._ensure_initialized(conf=conf)
    if login is not None and not (conf.get("spark.master") or "").startswith("local"):
        # Its name is among those that Spark redacts.
        conf.set(f"spark.executorEnv.{_VARIABLE}", login)
