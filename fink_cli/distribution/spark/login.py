"""The login of the Kafka clients in Spark's processes: by variables of their environment.

The options of a source or sink stand in Spark's plans, which go to its event log and its UI, and
not all of that is redacted (Spark 4.0 redacts the description of a plan, but not its nodes). So the
option only names an environment variable, which Kafka's own client reads; and what Python's workers
are given holds no login, which they find in a variable as well.
"""

from __future__ import annotations

import json
import os
from typing import Any

from pyspark import SparkConf, SparkContext

from fink_cli.connection import Connection

_JAAS = "sasl.jaas.config"
_VARIABLE, _SETTINGS = "FINK_JAAS", "FINK_LIBRDKAFKA_SECRET"
_FROM_ENVIRONMENT = {
    _JAAS: f"${{env:{_VARIABLE}}}",
    "config.providers": "env",
    "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
}


def kafka_options(connection: Connection) -> dict[str, str]:
    """Return the options by which Spark's Kafka source reaches a cluster; none is a secret."""
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
    variables = {_SETTINGS: json.dumps(connection.librdkafka())}
    login = connection.java().get(_JAAS)
    if login is not None:
        variables[_VARIABLE] = login
    os.environ.update(variables)
    SparkContext._ensure_initialized(conf=conf)
    if not (conf.get("spark.master") or "").startswith("local"):
        for name, value in variables.items():
            # Spark redacts what has one of these names.
            conf.set(f"spark.executorEnv.{name}", value)


def worker_settings() -> dict[str, Any]:
    """Return librdkafka's settings, in a worker of Spark's."""
    settings: dict[str, Any] = json.loads(os.environ[_SETTINGS])
    return settings
