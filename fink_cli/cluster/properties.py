"""The settings of a broker, from the cluster's record. Pure: data in, text out."""

from __future__ import annotations

from pathlib import Path

from fink_cli.cluster.record import (
    BROKER_USER,
    HOST,
    Broker,
    Cluster,
    authority_file,
    data_folder,
    keystore_file,
    public_keystore_file,
)

# Of the listener for other machines. Kafka reads the file again when this setting is altered.
PUBLIC_KEYSTORE = "listener.name.public.ssl.keystore.location"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def server_properties(cluster: Cluster, broker: Broker, home: Path) -> str:
    """Return the broker's ``server.properties``. It holds no secret.

    Clients log in with SCRAM-SHA-512 on the listener CLIENT, and from other machines on PUBLIC.
    Brokers and controllers log in to each other with TLS certificates on both ends, on the
    listeners INTERNAL and CONTROLLER: whoever listens on the port of a broker that died is refused
    before anything is said. A password would be handed over to them (PLAIN), or a login could be
    passed on to a broker that lives (SCRAM).

    Args:
        cluster: the cluster.
        broker: which of its brokers.
        home: the ``FINK_HOME`` of the cluster.
    """
    settings = [
        *_settings(cluster, broker, data_folder(home, broker.id)),
        *_tls(home),
        *_public(cluster, home),
    ]
    return "".join(f"{key}={_escaped(value)}\n" for key, value in settings)


def _settings(cluster: Cluster, broker: Broker, data: Path) -> list[tuple[str, str]]:
    copies = str(min(len(cluster.brokers), 3))
    in_sync = "2" if len(cluster.brokers) >= 3 else "1"
    voters = ",".join(f"{each.id}@{HOST}:{each.controller_port}" for each in cluster.brokers)
    listeners = [f"CLIENT://{HOST}:{broker.port}", f"INTERNAL://{HOST}:{broker.internal_port}"]
    advertised = list(listeners)
    listeners.append(f"CONTROLLER://{HOST}:{broker.controller_port}")
    protocols = f"CLIENT:{security_protocol(cluster.tls)},INTERNAL:SSL,CONTROLLER:SSL"
    if cluster.public:
        listeners.append(f"PUBLIC://{cluster.public.address_of(broker)}")
        advertised.append(f"PUBLIC://{cluster.public.advertised_by(broker)}")
        protocols += f",PUBLIC:{security_protocol(cluster.public.tls)}"
    return [
        ("process.roles", "broker,controller"),
        ("node.id", str(broker.id)),
        ("controller.quorum.voters", voters),
        ("listeners", ",".join(listeners)),
        ("advertised.listeners", ",".join(advertised)),
        ("listener.security.protocol.map", protocols),
        ("inter.broker.listener.name", "INTERNAL"),
        ("controller.listener.names", "CONTROLLER"),
        ("sasl.enabled.mechanisms", "SCRAM-SHA-512"),
        ("listener.name.client.scram-sha-512.sasl.jaas.config", _SCRAM),
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("super.users", f"User:{cluster.admin.user};User:{BROKER_USER}"),
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


def security_protocol(tls: bool) -> str:
    """Return Kafka's name of how clients connect, with TLS or without."""
    return "SASL_SSL" if tls else "SASL_PLAINTEXT"


def _tls(home: Path) -> list[tuple[str, str]]:
    # The host's name is checked by default, by both ends.
    return [
        ("listener.name.internal.ssl.client.auth", "required"),
        ("listener.name.controller.ssl.client.auth", "required"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.location", str(keystore_file(home))),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", str(authority_file(home))),
    ]


def _public(cluster: Cluster, home: Path) -> list[tuple[str, str]]:
    if cluster.public is None:
        return []
    return [
        ("listener.name.public.scram-sha-512.sasl.jaas.config", _SCRAM),
        ("listener.name.public.ssl.keystore.type", "PEM"),
        (PUBLIC_KEYSTORE, str(public_keystore_file(home))),
        # A certificate that is renewed may name more hosts than the one before.
        ("ssl.allow.dn.changes", "true"),
        ("ssl.allow.san.changes", "true"),
    ]


def _escaped(value: str) -> str:
    # In a properties file a backslash begins an escape.
    return value.replace("\\", "\\\\")
