"""What the options of `fink kafka start` make of a cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fink_cli.cluster.properties import server_properties
from fink_cli.cluster.record import Cluster, PublicListener
from fink_cli.cluster.start_options import StartOptions, changed, new_cluster
from fink_cli.errors import UsageError


def started(*runs: StartOptions, brokers: int = 1) -> Cluster:
    cluster = new_cluster(brokers)
    for options in runs:
        cluster = changed(cluster, options)
    return cluster


def listener(*runs: StartOptions) -> PublicListener:
    public = started(*runs).public
    assert public is not None
    return public


@pytest.mark.parametrize(
    ("listen", "advertise", "servers"),
    [
        ("192.0.2.1", None, "192.0.2.1:9193,192.0.2.1:9194"),
        ("192.0.2.1:1443", None, "192.0.2.1:1443,192.0.2.1:1444"),
        ("0.0.0.0", "fink.example.org", "fink.example.org:9193,fink.example.org:9194"),
        ("::", "fink.example.org:443", "fink.example.org:443,fink.example.org:444"),
        ("2001:DB8::1", None, "[2001:db8::1]:9193,[2001:db8::1]:9194"),
        ("[2001:db8::1]:1443", "[2001:db8::9]:443", "[2001:db8::9]:443,[2001:db8::9]:444"),
        ("[2001:db8::1]", "192.0.2.1", "192.0.2.1:9193,192.0.2.1:9194"),
    ],
)
def test_clients_on_other_machines_are_told(
    listen: str, advertise: str | None, servers: str
) -> None:
    options = StartOptions(listen=listen, advertise=advertise)
    assert started(options, brokers=2).advertised_servers == servers


def test_what_is_not_said_stays() -> None:
    world = StartOptions(listen="192.0.2.1", advertise="a.example.org:443")
    for later in (StartOptions(), StartOptions(port=9500), StartOptions(listen="192.0.2.1")):
        assert listener(world, later) == listener(world)
    moved = listener(StartOptions(listen="192.0.2.1"), StartOptions(listen="192.0.2.2:9300"))
    assert (moved.host, moved.port, moved.advertised_port) == ("192.0.2.2", 9300, None)
    assert listener(world, StartOptions(advertise="b.example.org")).advertised_port is None
    assert started(world, StartOptions(listen="off")).public is None
    assert started(StartOptions(port=9500)).bootstrap_servers == "127.0.0.1:9500"


def test_beyond_this_machine_tls_is_on_unless_it_is_said() -> None:
    world, plain = StartOptions(listen="192.0.2.1"), StartOptions(listen="192.0.2.1", tls=False)
    assert (listener(world).tls, started(world).tls) == (True, False)
    assert (listener(plain).tls, listener(plain, StartOptions()).tls) == (False, False)
    assert listener(plain, world).tls
    assert listener(plain, StartOptions(certificate="/c", key="/k")).tls
    both = started(plain, StartOptions(tls=True))
    assert both.tls
    assert both.public is not None
    assert both.public.tls


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (StartOptions(advertise="h"), "Name the address that they reach: --listen ADDRESS"),
        (StartOptions(certificate="/c", key="/k"), "--listen ADDRESS"),
        (StartOptions(listen="0.0.0.0"), "--advertise HOST"),
        (StartOptions(listen="::"), "--advertise HOST"),
        (StartOptions(listen="192.0.2.1", advertise="0.0.0.0"), "--advertise HOST"),
        (StartOptions(listen="fink.example.org"), "Give an IP address of this machine"),
        (StartOptions(listen="192.0.2.1", advertise="https://h"), "Write HOST, HOST:PORT"),
        (StartOptions(listen="192.0.2.1", advertise="h:port"), "Write HOST, HOST:PORT"),
        (StartOptions(listen="192.0.2.1", advertise="h,i"), "Write HOST, HOST:PORT"),
        (StartOptions(listen="192.0.2.1", advertise="2001:db8::1:99999"), "Write HOST, HOST:PORT"),
        (StartOptions(listen="192.0.2.1:0"), "up to 65535"),
        (StartOptions(listen="192.0.2.1:65535"), "up to 65535"),
        (StartOptions(port=65535), "up to 65535"),
        (StartOptions(listen="192.0.2.1", advertise="h:65535"), "up to 65535"),
        (StartOptions(listen="192.0.2.1:9094"), "Give another"),
        (StartOptions(listen="192.0.2.1", certificate="/c"), "Give both"),
        (StartOptions(listen="192.0.2.1", key="/k"), "Give both"),
        (StartOptions(listen="192.0.2.1", tls=False, certificate="/c", key="/k"), "--no-tls"),
        (StartOptions(brokers=3), "fink kafka destroy"),
    ],
)
def test_what_contradicts_itself_is_refused(options: StartOptions, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        started(options, brokers=2)
    assert said in refused.value.hint


def test_the_command_is_that_of_the_options() -> None:
    options = StartOptions(port=9500, tls=False, listen="::", advertise="h:1", certificate="/a b")
    words = "--port 9500 --no-tls --listen :: --advertise h:1 --certificate '/a b'"
    assert options.command() == f"fink kafka start {words}"
    assert StartOptions(tls=True).command() == "fink kafka start --tls"


def test_between_brokers_only_the_loopback_interface_is_used(tmp_path: Path) -> None:
    cluster = started(StartOptions(listen="0.0.0.0", advertise="fink.example.org:443"))
    broker = replace(cluster.brokers[0], controller_port=20001, internal_port=20002)
    lines = server_properties(cluster, broker, tmp_path).splitlines()
    assert (
        "listeners=CLIENT://127.0.0.1:9093,INTERNAL://127.0.0.1:20002,"
        "CONTROLLER://127.0.0.1:20001,PUBLIC://0.0.0.0:9193" in lines
    )
    assert (
        "advertised.listeners=CLIENT://127.0.0.1:9093,INTERNAL://127.0.0.1:20002,"
        "PUBLIC://fink.example.org:443" in lines
    )
    protocols = "CLIENT:SASL_PLAINTEXT,INTERNAL:SSL,CONTROLLER:SSL,PUBLIC:SASL_SSL"
    assert f"listener.security.protocol.map={protocols}" in lines
