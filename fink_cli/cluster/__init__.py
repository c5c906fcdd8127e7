"""A real Apache Kafka on this machine, in KRaft mode, secured from its first second."""

DEFAULT_PORT = 9093
