"""How to reach a Kafka cluster and as whom, in the words of each client."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from fink_cli.errors import Attempt, UsageError

# A file of authorities may hold comments and keys as well.
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----")
_JAVA_LOGIN = {
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
}


@dataclass(frozen=True)
class Connection:
    """How to reach a Kafka cluster, and as whom.

    Attributes:
        bootstrap_servers: ``host:port``, several separated by commas.
        security_protocol: Kafka's name of it, for example ``SASL_PLAINTEXT``.
        sasl_mechanism: Kafka's name of it, for example ``SCRAM-SHA-512``.
        username: the user; empty without a login.
        password: its password; never shown.
        ssl_ca_location: file of the certificate authority, for TLS with one of your own.
        ssl_ca_pem: the authority's certificate itself, as PEM, where it is in no file.
        home: the ``FINK_HOME`` of the local cluster that the profile names; empty for another.
    """

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    ssl_ca_location: str = ""
    ssl_ca_pem: str = ""
    home: str = ""

    @property
    def login(self) -> bool:
        """Whether the connection logs in."""
        return self.security_protocol.startswith("SASL")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    def with_authority_inside(self) -> Connection:
        """Return the connection with the authority's certificate itself in the place of its file.

        It is complete then, for a user who can't read that file, and on another machine.
        """
        file = Path(self.ssl_ca_location)
        if not self.tls or not file.is_file():
            return self
        certificates = _CERTIFICATE.findall(file.read_bytes())
        pem = "".join(f"{certificate.decode()}\n" for certificate in certificates)
        return replace(self, ssl_ca_location="", ssl_ca_pem=pem) if pem else self

    def as_profile(self) -> dict[str, str]:
        """Return the settings as a profile names them, without those that are empty."""
        return {name: value for name, value in asdict(self).items() if value}

    def librdkafka(self) -> dict[str, str]:
        """Return the settings as librdkafka (confluent-kafka, kcat) names them."""
        settings = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
        }
        if self.login:
            settings |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        if self.ssl_ca_pem:
            settings["ssl.ca.pem"] = self.ssl_ca_pem
        elif self.ssl_ca_location:
            settings["ssl.ca.location"] = self.ssl_ca_location
        return settings

    def java(self) -> dict[str, str]:
        """Return the settings as Kafka's Java clients (and so Spark) name them."""
        settings = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
        }
        if self.login:
            settings |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.jaas.config": jaas(self.sasl_mechanism, self.username, self.password),
            }
        if self.ssl_ca_pem:
            settings |= {
                "ssl.truststore.type": "PEM",
                "ssl.truststore.certificates": self.ssl_ca_pem,
            }
        elif self.ssl_ca_location:
            settings |= {
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": self.ssl_ca_location,
            }
        return settings

    def attempt(self, operation: str = "", resource_type: str = "", resource: str = "") -> Attempt:
        """Name what is tried with this connection, for an error's sentence."""
        return Attempt(
            servers=self.bootstrap_servers,
            user=self.username,
            operation=operation,
            resource_type=resource_type or "cluster",
            resource=resource,
            protocol=self.security_protocol,
            mechanism=self.sasl_mechanism if self.login else "",
        )


def jaas(mechanism: str, username: str, password: str, **options: str) -> str:
    """Return a JAAS login line for Kafka's Java side.

    Raises:
        UsageError: Kafka's Java side has no login module for ``mechanism``.
    """
    module = _JAVA_LOGIN.get(mechanism)
    if module is None:
        raise UsageError(
            f"The SASL mechanism {mechanism} is not one that fink can use with Java clients.",
            f"Use one of: {', '.join(_JAVA_LOGIN)}",
        )
    pairs = {"username": username, "password": password, **options}
    return f"{module} required {' '.join(f'{k}={quoted(v)}' for k, v in pairs.items())};"


def quoted(value: str) -> str:
    """Return a value as it stands in a JAAS login line."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def scram_name_fault(name: str) -> str:
    """Say why nobody can log in with SCRAM under a name; empty where they can.

    Kafka takes the characters 0x01 to 0x7F of a name (``ScramMessages.SASLNAME``) and does no
    SASLprep; of any other name it says that the password is wrong.
    """
    others = dict.fromkeys(character for character in name if not character.isascii())
    return f"Kafka's SCRAM takes ASCII characters only, not {', '.join(others)}" if others else ""


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def addresses(bootstrap_servers: str) -> list[Address]:
    """Return the addresses of a setting ``host:port,…``.

    Raises:
        UsageError: one of them is not of that form, or there is none.
    """
    given = [text.strip() for text in bootstrap_servers.split(",") if text.strip()]
    return [_address(text) for text in given or [bootstrap_servers]]


def _address(text: str) -> Address:
    # librdkafka takes a protocol before the address, too.
    host, _, port = text.rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(
            f"'{text}' is not of the form HOST:PORT.",
            "Mend it: fink config set bootstrap_servers HOST:PORT, or FINK_BOOTSTRAP_SERVERS",
        )
    return Address(host.strip("[]"), int(port))
