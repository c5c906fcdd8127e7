"""Standard streams that are closed, have no reader, or are not UTF-8; text files with a BOM."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.consume import SCHEMA, message
from tests.support.environment import PROGRAM
from tests.support.fink import Fink


def shell(environ: dict[str, str], command: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command line with `$fink` for the program."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**environ, "fink": str(PROGRAM), **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_streams_that_are_closed_or_not_read(
    cluster: Any, topic: str, publish: Any, tmp_path: Path
) -> None:
    publish(topic, *[message(number) for number in range(3)])
    consume = f"$fink consume -t {topic} -o json"
    done = shell(cluster.environ, f"{consume} --until-end 2>&-")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)
    # It follows the topic, and would not write again.
    done = shell(cluster.environ, f"{consume} | head -1")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert b"rror" not in done.stderr
    done = shell(cluster.environ, "$fink kafka topic list | true; echo ${PIPESTATUS[0]}")
    assert (done.stdout, done.stderr) == (b"0\n", b"")
    for target, says in ((">&-", b"Standard output is closed"), (">/dev/full", b"No space left")):
        done = shell(cluster.environ, f"$fink kafka topic list {target}")
        assert done.returncode == 1
        assert says in done.stderr
        assert b"Traceback" not in done.stderr
    assert shell(cluster.environ, "$fink kafka topic list 2>&- <&-").returncode == 0
    # Nobody reads what is said beside the data: the work goes on, and ends as it would.
    publish(topic, (None, b"no alert"), (None, b"no alert"), message(3))
    saved = tmp_path / "saved"
    save = f"$fink consume -t {topic} --until-end --save {saved} --format ndjson"
    assert shell(cluster.environ, f"{save} --strict 2> >(head -1 > /dev/null)").returncode == 1
    assert sum(len(each.read_bytes().splitlines()) for each in saved.iterdir()) == 4
    # A script's shell lets what it starts in the background ignore SIGINT.
    wait = "until grep -q alert $out; do sleep 0.2; done; kill -INT $!; wait $!; echo $?"
    done = shell(cluster.environ, f"{consume} > $out & {wait}", out=str(tmp_path / "out"))
    assert done.stdout == b"130\n"


def test_output_that_is_not_utf_8(cluster: Any, topic: str, publish: Any) -> None:
    publish(topic, (None, '{"objectId": "é☄"}'.encode()))
    latin = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    words = f"$fink consume -t {topic} --until-end"
    done = shell(cluster.environ, f"{words} -o json", **latin)
    assert json.loads(done.stdout.decode())["alert"] == {"objectId": "é☄"}
    for more in ("", "--detail"):
        done = shell(cluster.environ, f"{words} {more}", **latin)
        assert done.returncode == 0, done.stderr
        assert "é?" in done.stdout.decode("latin-1")
    listed = shell(cluster.environ, "$fink kafka topic list", **latin)
    assert topic.encode() in listed.stdout


def test_text_files_with_a_byte_order_mark(
    fink: Fink, cluster: Any, topic: str, publish: Any, tmp_path: Path
) -> None:
    publish(topic, (b"", message(5)[1]))
    schema, config, access = (tmp_path / each for each in ("s.avsc", "config.toml", "access.toml"))
    schema.write_text(json.dumps(SCHEMA), encoding="utf-8-sig")
    own = Path(cluster.environ["FINK_CONFIG"]).read_text(encoding="utf-8")
    config.write_text(own, encoding="utf-8-sig")
    config.chmod(0o600)
    env = {"FINK_CONFIG": str(config)}
    done = fink(
        "consume", "-t", topic, "--until-end", "-o", "json", "--schema", str(schema), env=env
    )
    assert json.loads(done.stdout)["alert"]["number"] == 5
    access.write_text("[users.nobody]\nconsume = []\n", encoding="utf-8-sig")
    assert "Invalid" not in fink("acl", "plan", str(access)).stderr
