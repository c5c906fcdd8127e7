"""The key that completes, with a real cluster and without one, in a real shell."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from confluent_kafka import Consumer, TopicPartition

from fink_cli.cluster.process import free_ports
from fink_cli.completion.names import WAIT_SECONDS
from tests.support.cluster import TestCluster
from tests.support.consume import messages
from tests.support.environment import PROGRAM, clean_environ, find_program
from tests.support.servers import relayed
from tests.support.users import new_user
from tests.support.waiting import wait_for

# A press may take 300 ms, and waits for 120 of them. Where this was written the rest is three times
# what the import of Typer takes of the processor (60 ms); a slower one takes longer for both.
LIMIT_IMPORTS = 3.0


def pressed(env: dict[str, str], *words: str) -> list[str]:
    """What bash would show; nothing else may be said."""
    asked = {"COMP_WORDS": " ".join(["fink", *words]), "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        [PROGRAM],
        env={**env, **asked, "_FINK_COMPLETE": "complete_bash"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    return done.stdout.split()


def pressed_until(env: dict[str, str], wanted: str, *words: str) -> list[str]:
    """What is shown once the names have come; they come within seconds."""

    def shown() -> list[str] | None:
        names = pressed(env, *words)
        return names if wanted in names else None

    return wait_for(shown, 30)


def require_quick(env: dict[str, str], *words: str) -> None:
    """Require that a press takes no more than it may.

    Other tests share the machine: so it is the processor's time of the quickest of ten each, and
    they are taken in turns.
    """
    importing = [sys.executable, "-c", "import typer"]
    presses, imports = [], []
    for _ in range(10):
        presses.append(processor_seconds(lambda: pressed(env, *words)))
        imports.append(processor_seconds(lambda: subprocess.run(importing, env=env, check=True)))
    assert WAIT_SECONDS <= 0.12
    assert min(presses) / min(imports) < LIMIT_IMPORTS


def processor_seconds(run: Callable[[], object]) -> float:
    """What the processes that are run take of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.fixture
def environ(cluster: TestCluster, tmp_path: Path) -> dict[str, str]:
    """The admin's environment, with a cache of its own."""
    return {**cluster.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def group(cluster: TestCluster, topic: str) -> Iterator[Callable[[str], str]]:
    """Make a consumer group that has committed."""

    def make(name: str) -> str:
        consumer = Consumer({**cluster.connection.librdkafka(), "group.id": name})
        consumer.commit(offsets=[TopicPartition(topic, 0, 0)], asynchronous=False)
        consumer.close()
        return name

    return make


def test_names_of_the_cluster_are_shown(
    environ: dict[str, str],
    cluster: TestCluster,
    topic: str,
    group: Callable[[str], str],
) -> None:
    user, name = new_user(cluster.connection), group(f"g-{uuid.uuid4().hex[:8]}")
    assert topic in pressed_until(environ, topic, "kafka", "topic", "describe", "")
    for words in (("kafka", "topic", "describe"), ("consume", "--topic", "=")):
        assert pressed_until(environ, topic, *words, topic[:-2]) == [topic]
    assert user in pressed_until(environ, user, "acl", "add", "-u", "")
    assert name in pressed_until(environ, name, "kafka", "group", "describe", "")
    assert "local" in pressed(environ, "config", "use", "")
    shown = pressed_until(environ, topic, "kafka", "topic", "describe", "")
    assert "__consumer_offsets" not in shown


def test_ids_of_alerts_are_shown(
    environ: dict[str, str], topic: str, publish: Callable[..., None]
) -> None:
    publish(topic, *messages(12))
    words = ("consume", "show", "--topic", topic)
    assert pressed_until(environ, "ZTF0011", *words, "ZTF001") == ["ZTF0010", "ZTF0011"]
    assert pressed_until(environ, "ZTF0003", *words, "--id", "ZTF0003") == ["ZTF0003"]
    assert pressed(environ, "consume", "show", "ZTF") == []


def test_a_press_takes_less_than_300_ms(environ: dict[str, str], topic: str) -> None:
    words = ("kafka", "topic", "describe", "")
    pressed_until(environ, topic, *words)
    require_quick(environ, *words)


def test_a_new_topic_is_shown_soon(
    environ: dict[str, str], topic: str, make_topic: Callable[..., str]
) -> None:
    words = ("kafka", "topic", "describe", "")
    pressed_until(environ, topic, *words)
    pressed_until(environ, make_topic(), *words)


def test_names_that_a_shell_would_run_are_never_shown(
    environ: dict[str, str], group: Callable[[str], str]
) -> None:
    good = group(f"g-{uuid.uuid4().hex[:8]}")
    group("$(touch /tmp/evil)")
    group("`touch /tmp/evil`")
    words = ("kafka", "group", "describe", "")
    found = pressed_until(environ, good, *words)
    assert not [name for name in found if "evil" in name or "touch" in name]


def test_a_cluster_that_is_away_shows_nothing_and_says_nothing(tmp_path: Path) -> None:
    environ = clean_environ(
        tmp_path,
        FINK_BOOTSTRAP_SERVERS=f"127.0.0.1:{free_ports(1)[0]}",
        FINK_USERNAME="ann",
        FINK_PASSWORD="not-to-be-seen",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    pressed_until(environ, "describe", "kafka", "topic", "")
    words = ("kafka", "topic", "describe", "")
    assert pressed(environ, *words) == []
    require_quick(environ, *words)
    kept = [each for each in (tmp_path / "cache").rglob("*") if each.is_file()]
    assert kept
    assert not [each for each in kept if "not-to-be-seen" in each.read_text()]


def test_a_cluster_that_went_away_shows_nothing(
    environ: dict[str, str], cluster: TestCluster, topic: str
) -> None:
    """Not even what it was known to hold a moment before."""
    words = ("kafka", "topic", "describe", "")
    with relayed("127.0.0.1", cluster.connection.bootstrap_servers) as through:
        env = {**environ, "FINK_BOOTSTRAP_SERVERS": through}
        pressed_until(env, topic, *words)
    assert pressed(env, *words) == []


def test_a_refused_login_shows_nothing_and_says_nothing(
    environ: dict[str, str], topic: str
) -> None:
    wrong = {**environ, "FINK_PASSWORD": "wrong"}
    words = ("kafka", "topic", "describe", "")
    pressed_until(wrong, "describe", "kafka", "topic", "")
    for _ in range(4):
        assert pressed(wrong, *words) == []
        time.sleep(0.5)


def test_what_lies_in_the_folder_is_not_run(environ: dict[str, str], tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "typer.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        pressed_until(environ, "describe", "kafka", "topic", "")
    assert not ran.exists()


def test_a_command_that_tells_a_password_is_not_run(cluster: TestCluster, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    config = tmp_path / "config.toml"
    config.write_text(
        'default = "x"\n[profiles.x]\n'
        f'bootstrap_servers = "{cluster.connection.bootstrap_servers}"\n'
        f'username = "admin"\npassword_command = "touch {ran}"\n'
    )
    config.chmod(0o600)
    environ = clean_environ(
        tmp_path, FINK_CONFIG=str(config), XDG_CACHE_HOME=str(tmp_path / "cache")
    )
    pressed_until(environ, "describe", "kafka", "topic", "")
    for _ in range(4):
        assert pressed(environ, "kafka", "topic", "describe", "") == []
        time.sleep(0.5)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("text", "shown"), [("profiles = [", []), ("[profiles.a]\n[profiles.b]\n", ["a", "b"])]
)
def test_profiles_come_from_their_file(tmp_path: Path, text: str, shown: list[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    environ = clean_environ(
        tmp_path, FINK_CONFIG=str(config), XDG_CACHE_HOME=str(tmp_path / "cache")
    )
    pressed_until(environ, "use", "config", "")
    assert pressed(environ, "config", "use", "") == shown


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_zsh_and_fish_are_answered(environ: dict[str, str], topic: str, shell: str) -> None:
    pressed_until(environ, topic, "kafka", "topic", "describe", "")
    asked = {
        "_FINK_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": f"fink kafka topic describe {topic[:-2]}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    expected = {"zsh": f"_arguments '*: :((\"{topic}\"))'", "fish": topic}

    def shown() -> bool:
        done = subprocess.run(
            [PROGRAM], env={**environ, **asked}, capture_output=True, text=True, check=False
        )
        assert (done.stderr, done.returncode) == ("", 0)
        # Names that have not come in time are left out of one press.
        assert topic not in done.stdout or done.stdout.strip() == expected[shell]
        return done.stdout.strip() == expected[shell]

    wait_for(shown, 30)


def press_until(line: pexpect.spawn[str], shown: str) -> None:
    """Press the key until this stands there: one press may end before the names have come."""
    for _ in range(6):
        line.send("\t")
        if line.expect([shown, pexpect.TIMEOUT], timeout=5) == 0:
            return
    pytest.fail(f"no {shown!r}: {line.before}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_key_works_once_it_is_installed(
    environ: dict[str, str], topic: str, tmp_path: Path, shell: str
) -> None:
    find_program(shell)
    path = f"{PROGRAM.parent}{os.pathsep}{environ['PATH']}"
    env = {**environ, "PATH": path, "HOME": str(tmp_path), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    env.pop("XDG_CONFIG_HOME", None)
    (tmp_path / "a-file").touch()
    # By a shell, since it is the parent that tells which one is meant.
    install = [shell, "-c", "fink --install-completion; true"]
    done = subprocess.run(install, env=env, capture_output=True, text=True, check=False)
    assert f"{shell} completion installed" in done.stdout, done.stderr
    pressed_until(environ, topic, "kafka", "topic", "describe", "")
    with pexpect.spawn(
        shell, ["-i"], env=env, encoding="utf-8", timeout=20, dimensions=(40, 200), cwd=tmp_path
    ) as line:
        line.sendline('echo rea""dy')
        line.expect("ready\r?\n")
        # A word at a time: fish takes what is typed ahead for part of the word.
        for begun, whole in (
            ("fink kafka top", "topic"),
            ("descr", "describe"),
            (topic[:-2], topic),
        ):
            line.send(begun)
            press_until(line, f"{whole} ")
        line.send("-o json\r")
        line.expect(f'"name": "{topic}"')
        if shell == "bash":
            # A file where one may stand, and none in the place of a topic.
            line.send("fink kafka topic describe a-f\t\r")
            line.expect("no topic 'a-f'")
        line.send("fink consume --schema a-f\t --topic\r")
        line.expect("--schema a-file")


@pytest.mark.parametrize("config", ["~nouser/config.toml", f"/tmp/{'x' * 300}"])
def test_settings_that_are_wrong_are_no_words_of_the_key(tmp_path: Path, config: str) -> None:
    env = clean_environ(tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    pressed_until(env, "describe", "kafka", "topic", "")
    wrong = {**env, "FINK_CONFIG": config}
    for words in (("kafka", "topic", "describe", ""), ("config", "use", "")):
        assert pressed(wrong, *words) == []


def test_a_terminal_of_few_letters_is_answered(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONIOENCODING": "ascii"}
    env = clean_environ(tmp_path, **cache)
    pressed_until(env, "describe", "kafka", "topic", "")
    asked = {
        "_FINK_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    lines = ["fink auth onboard --", "fink consume --", "fink kafka ", "fink acl check --"]
    said = b""
    for line in lines:
        env_of = {**env, **asked, "_TYPER_COMPLETE_ARGS": line}
        done = subprocess.run([PROGRAM], env=env_of, capture_output=True, check=False)
        assert (done.stderr, done.returncode) == (b"", 0)
        said += done.stdout
    assert "…".encode() in said


def test_bash_takes_an_address_for_one_word(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[profiles.faraway]\n")
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    more = {"FINK_CONFIG": str(config), "PATH": path, "HOME": str(tmp_path), "TERM": "dumb"}
    env = clean_environ(tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"), **more)
    pressed_until(env, "use", "config", "")
    (tmp_path / "fancy-file").touch()
    script = subprocess.run(
        [PROGRAM], env={**env, "_FINK_COMPLETE": "source_bash"}, capture_output=True, check=True
    )
    (tmp_path / ".bashrc").write_bytes(script.stdout)
    with pexpect.spawn("bash", ["-i"], env=env, encoding="utf-8", timeout=20, cwd=tmp_path) as line:
        line.sendline('echo rea""dy')
        line.expect("ready\r?\n")
        line.send("fink consume --bootstrap-servers localhost:9093,k:1 --profile fa")
        press_until(line, "raway ")
        line.send("\x15fink kafka topic list --bootstrap-servers=localhost:9093 --profile fa")
        press_until(line, "raway ")


def test_the_script_can_be_installed(environ: dict[str, str], tmp_path: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run(
            [PROGRAM],
            env={**environ, "_FINK_COMPLETE": f"source_{shell}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"_FINK_COMPLETE=complete_{shell}" in done.stdout
