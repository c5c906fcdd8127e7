"""Logins that fail, servers that do not answer, settings that contradict one another."""

from __future__ import annotations

import time
from pathlib import Path

from tests.conftest import Fink, TestCluster, clean_environ, run_fink


def test_a_wrong_password_ends_with_3_within_15_seconds(fink: Fink) -> None:
    # Twice that: other tests share the machine.
    began = time.monotonic()
    refused = fink("kafka", "topic", "list", env={"FINK_PASSWORD": "wrong"})
    assert time.monotonic() - began < 30
    assert refused.returncode == 3
    assert "refused the login of user 'admin'" in refused.stderr
    assert "wrong" not in refused.stderr.replace("FINK_PASSWORD", "")


def test_an_unreachable_broker_ends_with_3(fink: Fink) -> None:
    refused = fink("kafka", "topic", "list", "--bootstrap-servers", "127.0.0.1:1")
    assert refused.returncode == 3
    assert "127.0.0.1:1" in refused.stderr


def test_variables_need_no_profile(cluster: TestCluster, tmp_path: Path) -> None:
    login = cluster.as_user(cluster.connection.username, cluster.connection.password)
    done = run_fink("kafka", "topic", "list", env=clean_environ(tmp_path, **login))
    assert done.returncode == 0, done.stderr


def test_nothing_configured_says_how_to_begin(tmp_path: Path) -> None:
    done = run_fink("kafka", "topic", "list", env=clean_environ(tmp_path))
    assert done.returncode == 2
    assert "fink kafka start" in done.stderr


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
