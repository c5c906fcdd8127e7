"""The settings of a broker, from the cluster's record. Pure: data in, text out."""

from __future__ import annotations

from pathlib import Path

from fink_cli.cluster.record import (
    HOST,
    Broker,
    Cluster,
    authority_file,
    broker_folder,
    keystore_file,
)
from fink_cli.connection import jaas

_MECHANISM = "SCRAM-SHA-512"


def server_properties(cluster: Cluster, broker: Broker, home: Path) -> str:
    """The broker's ``server.properties``. It holds passwords.

    Clients and brokers log in with SCRAM-SHA-512 on the listener CLIENT. Controllers keep the
    SCRAM credentials themselves and so can't use them before they run: among them the login is
    PLAIN, with a generated password, on the loopback interface.

    Args:
        cluster: the cluster.
        broker: which of its brokers.
        home: the ``FINK_HOME`` of the cluster.
    """
    settings = _settings(cluster, broker, broker_folder(home, broker.id) / "data")
    if cluster.tls:
        settings += _tls(home)
    return "".join(f"{key}={_escaped(value)}\n" for key, value in settings)


def _settings(cluster: Cluster, broker: Broker, data: Path) -> list[tuple[str, str]]:
    protocol = security_protocol(cluster)
    copies = str(min(len(cluster.brokers), 3))
    in_sync = "2" if len(cluster.brokers) >= 3 else "1"
    voters = ",".join(f"{each.id}@{HOST}:{each.controller_port}" for each in cluster.brokers)
    internal, controller = cluster.internal, cluster.controller
    supers = {cluster.admin.user, internal.user, controller.user}
    return [
        ("process.roles", "broker,controller"),
        ("node.id", str(broker.id)),
        ("controller.quorum.voters", voters),
        (
            "listeners",
            f"CLIENT://{HOST}:{broker.port},CONTROLLER://{HOST}:{broker.controller_port}",
        ),
        ("advertised.listeners", f"CLIENT://{HOST}:{broker.port}"),
        ("listener.security.protocol.map", f"CLIENT:{protocol},CONTROLLER:{protocol}"),
        ("inter.broker.listener.name", "CLIENT"),
        ("controller.listener.names", "CONTROLLER"),
        ("sasl.enabled.mechanisms", _MECHANISM),
        ("sasl.mechanism.inter.broker.protocol", _MECHANISM),
        ("sasl.mechanism.controller.protocol", "PLAIN"),
        ("listener.name.controller.sasl.enabled.mechanisms", "PLAIN"),
        (
            "listener.name.client.scram-sha-512.sasl.jaas.config",
            jaas(_MECHANISM, internal.user, internal.password),
        ),
        (
            "listener.name.controller.plain.sasl.jaas.config",
            jaas(
                "PLAIN",
                controller.user,
                controller.password,
                **{f"user_{controller.user}": controller.password},
            ),
        ),
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("super.users", ";".join(f"User:{user}" for user in sorted(supers))),
        ("allow.everyone.if.no.acl.found", "false"),
        ("auto.create.topics.enable", "false"),
        ("log.dirs", str(data)),
        ("default.replication.factor", copies),
        ("min.insync.replicas", in_sync),
        ("offsets.topic.replication.factor", copies),
        ("transaction.state.log.replication.factor", copies),
        ("transaction.state.log.min.isr", in_sync),
        ("share.coordinator.state.topic.replication.factor", copies),
        ("share.coordinator.state.topic.min.isr", in_sync),
        # One machine: fewer internal partitions start faster, and no group waits for members.
        ("offsets.topic.num.partitions", "8"),
        ("transaction.state.log.num.partitions", "8"),
        ("share.coordinator.state.topic.num.partitions", "8"),
        ("group.initial.rebalance.delay.ms", "0"),
        # What is acknowledged is on the disk: all brokers are on one machine, which may lose power.
        ("log.flush.interval.messages", "1"),
        # Kafka maps two index files of this size for each partition. At its 10 MB, the first alert
        # on each new topic took the broker 40 ms.
        ("log.index.size.max.bytes", "1048576"),
        # After a kill -9 the broker waits for the end of its former self's session.
        ("broker.session.timeout.ms", "6000"),
        ("broker.heartbeat.interval.ms", "1000"),
    ]


def security_protocol(cluster: Cluster) -> str:
    """Kafka's name of how clients connect."""
    return "SASL_SSL" if cluster.tls else "SASL_PLAINTEXT"


def _tls(home: Path) -> list[tuple[str, str]]:
    # The host's name is checked by default, on both ends.
    return [
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.location", str(keystore_file(home))),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", str(authority_file(home))),
    ]


def _escaped(value: str) -> str:
    # In a properties file a backslash begins an escape.
    return value.replace("\\", "\\\\")
