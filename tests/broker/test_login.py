"""Logins that fail, servers that do not answer, settings that contradict one another."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.cluster import TestCluster
from tests.support.environment import clean_environ
from tests.support.fink import Fink, run_fink
from tests.support.servers import tls_server


def test_a_wrong_password_ends_with_3_and_kafka_s_reason(fink: Fink) -> None:
    refused = fink("kafka", "topic", "list", env={"FINK_PASSWORD": "wrong"})
    assert refused.returncode == 3
    assert "refused the login of user 'admin' (Kafka: SASL authentication error:" in refused.stderr
    assert "invalid credentials with SASL mechanism SCRAM-SHA-512)." in refused.stderr
    assert "wrong" not in refused.stderr.replace("FINK_PASSWORD", "")


def test_a_mechanism_that_the_broker_lacks_is_named_with_those_that_it_has(fink: Fink) -> None:
    for mechanism in ("SCRAM-SHA-256", "PLAIN"):
        refused = fink("kafka", "topic", "list", env={"FINK_SASL_MECHANISM": mechanism})
        assert refused.returncode == 3
        assert f"mechanism {mechanism}; it offers SCRAM-SHA-512" in refused.stderr
        assert "fink config set sasl_mechanism SCRAM-SHA-512" in refused.stderr


def test_a_host_that_is_not_known_is_called_so(fink: Fink) -> None:
    for servers in ("kafka.nosuch.invalid:9093", "a.nosuch.invalid:1,b.nosuch.invalid:1"):
        refused = fink("kafka", "topic", "list", "--bootstrap-servers", servers)
        assert refused.returncode == 3
        host = servers.partition(":")[0]
        assert f"The host '{host}' is not known to this machine" in refused.stderr
        assert "fink kafka start" not in refused.stderr


def test_one_known_host_among_others_is_enough(fink: Fink, cluster: TestCluster) -> None:
    servers = f"kafka.nosuch.invalid:9093,{cluster.connection.bootstrap_servers}"
    done = fink("kafka", "topic", "list", "--bootstrap-servers", servers)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("tried", "wanted"), [("SASL_PLAINTEXT", "SASL_SSL"), ("PLAINTEXT", "SSL")]
)
def test_a_port_that_speaks_tls_is_called_so(
    fink: Fink, tmp_path: Path, tried: str, wanted: str
) -> None:
    day = timedelta(days=1)
    with tls_server(tmp_path, -day, day) as (address, _):
        words = ("kafka", "topic", "list", "--bootstrap-servers", address)
        refused = fink(*words, env={"FINK_SECURITY_PROTOCOL": tried})
    assert refused.returncode == 3
    assert f"{address} speaks TLS, and was tried without: {tried}." in refused.stderr
    assert f"FINK_SECURITY_PROTOCOL={wanted}" in refused.stderr
    assert "fink kafka start" not in refused.stderr


def test_a_port_without_tls_is_called_so(fink: Fink) -> None:
    refused = fink("kafka", "topic", "list", env={"FINK_SECURITY_PROTOCOL": "SASL_SSL"})
    assert refused.returncode == 3
    assert "does not speak TLS, and was tried with it: SASL_SSL." in refused.stderr
    assert "FINK_SECURITY_PROTOCOL=SASL_PLAINTEXT" in refused.stderr


def test_a_port_that_wants_a_login_is_not_said_to_be_closed(
    cluster: TestCluster, tmp_path: Path
) -> None:
    servers = {"FINK_BOOTSTRAP_SERVERS": cluster.connection.bootstrap_servers}
    refused = run_fink("kafka", "topic", "list", env=clean_environ(tmp_path, **servers))
    assert refused.returncode == 3
    assert "takes connections, and does not answer PLAINTEXT" in refused.stderr
    assert "FINK_USERNAME" in refused.stderr


def test_an_unreachable_broker_ends_with_3(fink: Fink) -> None:
    refused = fink("kafka", "topic", "list", "--bootstrap-servers", "127.0.0.1:1")
    assert refused.returncode == 3
    assert "No Kafka broker answers at 127.0.0.1:1 (Kafka: Connect to" in refused.stderr
    assert "Connection refused)." in refused.stderr


def test_variables_need_no_profile(cluster: TestCluster, tmp_path: Path) -> None:
    login = cluster.as_user(cluster.connection.username, cluster.connection.password)
    done = run_fink("kafka", "topic", "list", env=clean_environ(tmp_path, **login))
    assert done.returncode == 0, done.stderr


def test_nothing_configured_says_how_to_begin(tmp_path: Path) -> None:
    done = run_fink("kafka", "topic", "list", env=clean_environ(tmp_path))
    assert done.returncode == 2
    assert "fink kafka start" in done.stderr


def test_a_settings_file_that_is_missing_is_not_passed_over(
    cluster: TestCluster, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.toml"
    servers = {"FINK_BOOTSTRAP_SERVERS": cluster.connection.bootstrap_servers}
    environ = clean_environ(tmp_path, FINK_CONFIG=str(missing), **servers)
    for words in (["config", "show"], ["kafka", "topic", "list"], ["config", "use", "x"]):
        refused = run_fink(*words, env=environ)
        assert refused.returncode == 2, words
        assert f"FINK_CONFIG names the file {missing}" in refused.stderr
    told = run_fink("config", "path", env=environ)
    assert (told.returncode, told.stdout) == (0, f"{missing}\n")
    words = ["config", "set", "bootstrap_servers", "h:1", "--profile", "x"]
    assert run_fink(*words, env=environ).returncode == 0
    assert run_fink("config", "show", env=environ).returncode == 0
    # A login that is all in the environment needs no file.
    missing.unlink()
    login = cluster.as_user(cluster.connection.username, cluster.connection.password)
    assert run_fink("kafka", "topic", "list", env={**environ, **login}).returncode == 0


def test_a_profile_that_others_can_read_is_refused(cluster: TestCluster, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        'default = "x"\n[profiles.x]\n'
        f'bootstrap_servers = "{cluster.connection.bootstrap_servers}"\n'
        f'username = "admin"\npassword = "{cluster.connection.password}"\n'
    )
    environ = clean_environ(tmp_path, FINK_CONFIG=str(config))
    config.chmod(0o644)
    refused = run_fink("kafka", "topic", "list", env=environ)
    assert refused.returncode == 2
    assert f"chmod 600 {config}" in refused.stderr
    config.chmod(0o600)
    assert run_fink("kafka", "topic", "list", env=environ).returncode == 0


def test_debug_shows_the_traceback_and_nothing_else_does(fink: Fink) -> None:
    words = ("kafka", "topic", "describe", "nothing_here")
    assert "Traceback" not in fink(*words).stderr
    assert "Traceback" in fink("--debug", *words).stderr
