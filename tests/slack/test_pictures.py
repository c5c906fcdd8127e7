"""Light curves in the threads of digests: the real slack_sdk, over HTTP."""

from __future__ import annotations

import io
import json
import struct
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Producer

from fink_cli.alerts.lightcurve import LightCurve, Point, light_curve
from fink_cli.slack.client import SlackClient
from fink_cli.slack.errors import SlackRefusedError
from fink_cli.slack.light_curve_png import light_curve_png
from fink_cli.slack.messages import Message
from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.slack import FakeSlack, Upload, broken, limited, refused

PICTURE = b"\x89PNG of a test"
Run = Callable[..., Any]


def pixels(png: bytes) -> tuple[int, int]:
    """Width and height, as the header of a PNG says."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def alerts_of(raw_dir: Path) -> list[tuple[bytes, dict[str, Any]]]:
    """The survey's alerts with a class, and their schema."""
    found = []
    for file in sorted(raw_dir.glob("*.avro")):
        with file.open("rb") as content:
            reader = fastavro.reader(content)
            schema = json.loads(reader.metadata["avro.schema"])
            schema["fields"].append({"name": "cdsxmatch", "type": "string"})
            for alert in reader:
                assert isinstance(alert, dict)
                found.append((json.dumps(schema).encode(), alert | {"cdsxmatch": "RRLyrae"}))
    return found


@pytest.fixture
def published(cluster: TestCluster, topic: str, raw_dir: Path) -> str:
    """The name of the newest alert on the topic."""
    producer = Producer(cluster.connection.librdkafka())
    name, began = "", int(time.time() * 1000) - 60_000
    for number, (key, alert) in enumerate(alerts_of(raw_dir)):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(key)), alert)
        producer.produce(topic, key=key, value=out.getvalue(), timestamp=began + number)
        name = alert["objectId"]
    assert producer.flush(30) == 0
    return name


@pytest.fixture
def run(fink: Fink, slack_env: dict[str, str], topic: str) -> Run:
    """Report on the topic, once, as JSON."""
    words = ("slack", "alerts", "--topic", topic, "--once", "-o", "json")
    return lambda: fink(*words, env=slack_env)


def test_the_newest_alert_of_a_digest_in_its_thread(
    slack: FakeSlack, run: Run, published: str
) -> None:
    slack.add_channel("other")
    slack.add_channel("rrlyrae")
    done = run()
    assert done.returncode == 0, done.stderr
    assert len(slack.posts) == 1
    [upload] = slack.uploads.values()
    assert (upload.to, upload.thread_ts) == ("rrlyrae", slack.ts(1))
    assert upload.title == upload.alt_txt == f"Light curve of {published}"
    assert f"`{published}" in slack.posts[0].shown
    assert pixels(upload.data) == (640, 360)
    assert len(upload.data) < 60_000
    files = [each for each in slack.calls if each.startswith("files.")]
    assert files == ["files.getUploadURLExternal", "files.completeUploadExternal"]
    assert slack.calls.index("chat.postMessage") < slack.calls.index(files[0])
    again = run()
    assert (again.returncode, len(slack.posts), len(slack.uploads)) == (0, 1, 1)


def test_without_the_scope_there_is_no_picture(slack: FakeSlack, run: Run, published: str) -> None:
    slack.add_channel("rrlyrae")
    slack.scopes.discard("files:write")
    done = run()
    assert done.returncode == 0, done.stderr
    assert (len(slack.posts), len(slack.uploads)) == (1, 0)
    assert "light curve" not in done.stderr
    assert not any(each.startswith("files.") for each in slack.calls)


@pytest.mark.parametrize(
    "fault",
    [
        {"files.getUploadURLExternal": refused("missing_scope", needed="files:write")},
        {"files.completeUploadExternal": refused("posting_to_channel_denied")},
        {"files.completeUploadExternal": refused("token_revoked")},
        {"upload": broken(503)},
        {"upload": (403, {}, {"html": "<b>\x1b[31m" + "x" * 5000})},
    ],
)
def test_a_picture_that_fails_costs_the_digest_nothing(
    slack: FakeSlack, run: Run, published: str, fault: dict[str, Any]
) -> None:
    slack.add_channel("rrlyrae")
    slack.file_faults = fault
    done = run()
    assert done.returncode == 0, done.stderr
    assert len(slack.posts) == 1
    assert json.loads(done.stdout)["posted"][0]["messages"] == 1
    warned = [each for each in done.stderr.splitlines() if "light curve" in each]
    assert len(warned) == 1, done.stderr
    assert "\x1b" not in done.stderr
    assert len(warned[0]) < 700
    slack.file_faults = {}
    again = run()
    assert (again.returncode, len(slack.posts)) == (0, 1)
    assert not any(each.to for each in slack.uploads.values())


def test_a_rate_limit_of_files_is_waited_out(slack: FakeSlack, client: SlackClient) -> None:
    slack.add_channel("here")
    posted = client.post("#here", Message("digest", ()))
    slack.file_faults = {"files.getUploadURLExternal": limited()}
    slack.forget_after = 3
    client.add_picture(posted, PICTURE, "a light curve")
    assert slack.calls.count("files.getUploadURLExternal") == 4
    expected = Upload("light-curve.png", len(PICTURE), "a light curve", PICTURE, "a light curve",
                      "here", slack.ts(1))  # fmt: skip
    assert list(slack.uploads.values()) == [expected]


def test_a_workspace_that_refuses(slack: FakeSlack, client: SlackClient) -> None:
    slack.add_channel("here")
    posted = client.post("#here", Message("digest", ()))
    slack.scopes.discard("files:write")
    with pytest.raises(SlackRefusedError, match="files:write"):
        client.add_picture(posted, PICTURE, "a light curve")


@pytest.mark.parametrize("method", ["files.upload", "channels.list", "no.such"])
def test_the_fake_refuses_what_slack_no_longer_offers(
    slack: FakeSlack, client: SlackClient, method: str
) -> None:
    with pytest.raises(SlackRefusedError, match=r"method_deprecated|unknown_method"):
        client._call(method)


def test_check_reports_the_scope(slack: FakeSlack, fink: Fink, slack_env: dict[str, str]) -> None:
    slack.scopes.discard("files:write")
    done = fink("slack", "check", "-o", "json", env=slack_env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["missing"] == {"files:write": "to add light curves to digests"}


def test_pictures_of_all_kinds(raw_dir: Path) -> None:
    curves = [light_curve(alert) for _, alert in alerts_of(raw_dir)]
    seen, limit = Point(60000.5, "g", 18.2, 0.1, is_own=True), Point(60001.5, "r", 20.5, None, True)
    curves += [LightCurve((each,)) for each in (seen, limit)]
    curves.append(LightCurve((seen, limit, Point(60002.0, "_$x", 17.0))))
    curves.append(
        LightCurve((Point(60000.5, "", 1e29), Point(60001.0, "u", -5.0, 3.0)), "nJy", "$f")
    )
    pictures = set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for curve in curves:
            pictures.add(light_curve_png(curve, "ZTF $\\frac{1}{2$ \u2603 \x1b"))
    assert {pixels(each) for each in pictures} == {(640, 360)}
    assert len(pictures) == len(curves)
