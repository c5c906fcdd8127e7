"""`fink slack alerts`: digests of a topic on a real broker, to a Slack that keeps count."""

from __future__ import annotations

import io
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.processes import running
from tests.support.slack import FakeSlack, broken, limited
from tests.support.waiting import wait_for

SCHEMA = {
    "type": "record",
    "name": "alert",
    "fields": [
        {"name": "objectId", "type": "string"},
        {"name": "cdsxmatch", "type": ["null", "string"]},
        {
            "name": "candidate",
            "type": {
                "type": "record",
                "name": "candidate",
                "fields": [{"name": each, "type": "double"} for each in ("jd", "ra", "dec", "rb")],
            },
        },
    ],
}
PARSED = fastavro.parse_schema(SCHEMA)
NASTY = "<!channel> <@U123> *b* `x` <http://evil.test|click> & \x1b[31m"

Alerts = Callable[..., subprocess.CompletedProcess[str]]
Publish = Callable[..., None]


@pytest.fixture
def publish(cluster: TestCluster) -> Publish:
    """Put alerts on a topic: pairs of object and class."""
    producer = Producer(cluster.connection.librdkafka())

    def put(topic: str, *given: tuple[str, str | None], partition: int = 0) -> None:
        for number, (name, kind) in enumerate(given):
            candidate = {"jd": 2460000.5 + number, "ra": 10.5, "dec": -3.25, "rb": number / 10}
            out = io.BytesIO()
            alert = {"objectId": name, "cdsxmatch": kind, "candidate": candidate}
            fastavro.schemaless_writer(out, PARSED, alert)
            producer.produce(
                topic, key=json.dumps(SCHEMA), value=out.getvalue(), partition=partition
            )
        assert producer.flush(30) == 0

    return put


@pytest.fixture
def by_name(tmp_path: Path) -> Path:
    """A channel map that allows the channels of the classes that these tests make."""
    classes = [f"class{number:02}" for number in range(30)] + [f"k{number}" for number in range(8)]
    file = tmp_path / "by_name.toml"
    allowed = ["a", "b", "c", "ebwuma", "rrlyrae", *classes]
    link = "https://fink-portal.org/{object}"
    file.write_text(f"by_name = true\nallowed = {json.dumps(allowed)}\nlink = '{link}'\n")
    return file


@pytest.fixture
def alerts(fink: Fink, slack_env: dict[str, str], by_name: Path) -> Alerts:
    """Report on a topic, once, as JSON."""

    def run(topic: str, *words: str, env: dict[str, str] | None = None) -> Any:
        chosen = () if "--channels" in words else ("--channels", str(by_name))
        given = ("slack", "alerts", "--topic", topic, "--once", "-o", "json", *chosen, *words)
        return fink(*given, env={**slack_env, **(env or {})})

    return run


def test_a_class_opens_no_channel_by_itself(
    slack: FakeSlack,
    fink: Fink,
    slack_env: dict[str, str],
    publish: Publish,
    topic: str,
    tmp_path: Path,
) -> None:
    """Whoever writes an alert chooses its class; the map that is shipped lists what is allowed."""
    for name in ("general", "rrlyrae"):
        slack.add_channel(name)
    publish(topic, *several("General", 2), *several("RRLyrae", 1))
    words = ("slack", "alerts", "--topic", topic, "--once", "-o", "json")
    done = fink(*words, env=slack_env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["without_channel"] == {"General": 2}
    assert [post.to for post in slack.posts] == ["rrlyrae"]
    everything = tmp_path / "slack.toml"
    everything.write_text("by_name = true\n")
    refused = fink(*words, "--channels", str(everything), env=slack_env)
    assert refused.returncode == 2
    assert "allowed = [" in refused.stderr
    # A map that somebody else can write is not obeyed either.
    everything.write_text('[classes]\nGeneral = "#general"\n')
    everything.chmod(0o666)
    refused = fink(*words, "--channels", str(everything), env=slack_env)
    assert refused.returncode == 2
    assert f"chmod go-w {everything}" in refused.stderr


def several(kind: str, count: int, first: int = 0) -> list[tuple[str, str | None]]:
    return [(f"{kind}-{number}", kind) for number in range(first, first + count)]


def objects(slack: FakeSlack, channel: str) -> list[str]:
    return [
        name for post in slack.to(channel) for name in re.findall(r"[A-Z]\w*-\d+(?= )", post.shown)
    ]


def test_a_digest_a_channel_and_nothing_twice(
    slack: FakeSlack, alerts: Alerts, publish: Publish, topic: str
) -> None:
    for name in ("rrlyrae", "ebwuma"):
        slack.add_channel(name)
    publish(topic, *several("RRLyrae", 14), *several("EB*WUMa", 1), *several("Star", 3))
    publish(topic, ("x", None), ("y", "Unknown"))
    done = alerts(topic)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["read"] == 20
    assert report["without_channel"] == {"Star": 3, "(none)": 1, "Unknown": 1}
    assert report["posted"] == [
        {"channel": "#rrlyrae", "alerts": 14, "messages": 1},
        {"channel": "#ebwuma", "alerts": 1, "messages": 1},
    ]
    assert "The class Star has no channel: 3 alerts not sent." in done.stderr
    shown = slack.to("rrlyrae")[0].shown
    assert objects(slack, "rrlyrae") == [f"RRLyrae-{at}" for at in range(13, 3, -1)]
    assert "<https://fink-portal.org/RRLyrae-13|open>" in shown
    assert "… and 4 more alerts" in shown
    again = alerts(topic)
    assert (again.returncode, len(slack.posts)) == (0, 2)


def test_text_of_alerts_takes_no_effect(
    slack: FakeSlack, alerts: Alerts, publish: Publish, topic: str, tmp_path: Path
) -> None:
    slack.add_channel("any")
    file = tmp_path / "map.toml"
    file.write_text(
        f"link = 'https://x.test/{{object}}'\n[classes]\n{json.dumps(NASTY)} = '#any'\n"
    )
    publish(topic, (NASTY, NASTY))
    done = alerts(topic, "--channels", str(file))
    assert done.returncode == 0, done.stderr
    post = slack.posts[0]
    for text in (post.text, post.shown.replace("<https://x.test/%3C", "")):
        assert not re.search(r"<[!@#h]", text)
        assert "&lt;!channel&gt;" in text
        assert "\x1b" not in text
    assert "`x`" not in post.shown


def test_a_channel_that_refuses_waits_and_the_others_go_on(
    slack: FakeSlack, alerts: Alerts, publish: Publish, topic: str, tmp_path: Path
) -> None:
    slack.add_channel("good")
    slack.add_channel("archived", archived=True)
    slack.add_channel("closed", member=False)
    file = tmp_path / "map.toml"
    names = ("none", "archived", "closed", "good")
    file.write_text("[classes]\n" + "\n".join(f"{each.upper()} = '#{each}'" for each in names))
    publish(topic, *(each for name in names for each in several(name.upper(), 2)))
    done = alerts(topic, "--channels", str(file))
    assert done.returncode == 1
    refused = {each["channel"]: each["error"] for each in json.loads(done.stdout)["refused"]}
    assert refused == {
        "#none": "There is no Slack channel #none that the bot can see.",
        "#archived": "The Slack channel #archived is archived.",
        "#closed": "The bot is not in the Slack channel #closed.",
    }
    assert "Traceback" not in done.stderr
    publish(topic, *several("GOOD", 1, first=2))
    slack.add_channel("none")
    for each in slack.channels.values():
        each.update(is_member=True, is_archived=False)
    mended = alerts(topic, "--channels", str(file))
    assert mended.returncode == 0, mended.stderr
    for name in names:
        found = objects(slack, name)
        assert sorted(found) == sorted({f"{name.upper()}-{at}" for at in range(len(found))})
    assert [len(objects(slack, name)) for name in names] == [2, 2, 2, 3]


def test_a_revoked_token_ends_it_and_loses_nothing(
    slack: FakeSlack, alerts: Alerts, publish: Publish, topic: str
) -> None:
    for name in ("a", "b", "c"):
        slack.add_channel(name)
    publish(topic, *several("A", 1), *several("B", 1), *several("C", 1))
    slack.faults = [None, (200, {}, {"ok": False, "error": "token_revoked"})]
    done = alerts(topic)
    assert done.returncode == 1
    assert done.stderr.count("The Slack token was revoked.") == 1
    assert alerts(topic).returncode == 0
    assert [each.to for each in slack.posts] == ["a", "b", "c"]
    assert "sent again" not in slack.posts[1].shown


def test_a_slack_that_is_down_is_tried_again_later(
    slack: FakeSlack, alerts: Alerts, publish: Publish, topic: str
) -> None:
    slack.add_channel("a")
    publish(topic, *several("A", 1))
    slack.faults = [broken(503, **{"Retry-After": "0"})] * 5
    done = alerts(topic)
    assert (done.returncode, "HTTP 503" in done.stderr) == (1, True)
    assert alerts(topic).returncode == 0
    assert "it may stand above already" in slack.posts[0].shown


def test_killed_and_started_again(
    slack: FakeSlack,
    slack_env: dict[str, str],
    cluster: TestCluster,
    alerts: Alerts,
    publish: Publish,
    make_topic: Callable[..., str],
    by_name: Path,
) -> None:
    topic = make_topic(partitions=3)
    kinds = [f"K{number}" for number in range(8)]
    for kind in kinds:
        slack.add_channel(kind.lower())
    for partition in range(3):
        publish(
            topic,
            *(x for kind in kinds for x in several(kind, 2, 2 * partition)),
            partition=partition,
        )
    slack.drop_after = 4
    words = ("slack", "alerts", "--topic", topic, "--once", "--channels", str(by_name))
    with running({**cluster.environ, **slack_env}, *words) as process:
        assert slack.dropped.wait(30)
        process.kill()
    in_flight = slack.posts[-1]
    slack.drop_after = 0
    done = alerts(topic)
    assert done.returncode == 0, done.stderr
    assert len(slack.posts) == 9
    again = slack.to(in_flight.to)
    assert len(again) == 2
    assert again[0].metadata == again[1].metadata
    assert [("sent again" in each.shown) for each in again] == [False, True]
    slack.posts.remove(again[1])
    for kind in kinds:
        assert sorted(objects(slack, kind.lower())) == [f"{kind}-{at}" for at in range(6)]


def test_asked_to_stop_it_finishes_the_message_in_hand(
    slack: FakeSlack,
    slack_env: dict[str, str],
    cluster: TestCluster,
    alerts: Alerts,
    publish: Publish,
    topic: str,
    by_name: Path,
) -> None:
    for name in ("a", "b"):
        slack.add_channel(name)
    publish(topic, *several("A", 1), *several("B", 1))
    slack.faults = [limited(3)]
    words = ("slack", "alerts", "--topic", topic, "--once", "--channels", str(by_name))
    with running({**cluster.environ, **slack_env}, *words) as process:
        wait_for(lambda: "chat.postMessage" in slack.calls, 30, interval=0.02)
        process.terminate()
        _, err = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert [each.to for each in slack.posts] == ["a"]
    assert alerts(topic).returncode == 0
    assert [each.to for each in slack.posts] == ["a", "b"]
    assert "sent again" not in slack.posts[1].shown


def test_a_following_reporter_keeps_to_its_interval(
    slack: FakeSlack,
    slack_env: dict[str, str],
    cluster: TestCluster,
    publish: Publish,
    topic: str,
    by_name: Path,
) -> None:
    slack.add_channel("a")
    words = ("slack", "alerts", "--topic", topic, "--every", "2s", "--newest", "50", "-o", "json")
    words += ("--channels", str(by_name))
    with running({**cluster.environ, **slack_env}, *words) as process:
        first = 0
        while len(slack.posts) < 2 and first < 400:
            publish(topic, *several("A", 1, first))
            first += 1
            time.sleep(0.25)
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert len(slack.posts) >= 2
    # From one post to the next: a start that takes long is not in it.
    assert slack.posts[1].at - slack.posts[0].at >= 1.8
    posted = json.loads(out)["posted"]
    assert posted == [
        {"channel": "#a", "alerts": posted[0]["alerts"], "messages": len(slack.posts)}
    ]
    assert len(set(objects(slack, "a"))) == posted[0]["alerts"] <= first


def test_a_topic_that_is_created_again_while_a_channel_refuses(
    slack: FakeSlack,
    slack_env: dict[str, str],
    cluster: TestCluster,
    publish: Publish,
    topic: str,
    by_name: Path,
) -> None:
    admin = AdminClient(cluster.connection.librdkafka())
    slack.add_channel("a")
    # Slack refuses what is sent to this one, so nothing is committed after the first alert.
    slack.add_channel("b", member=False)
    publish(topic, ("B0", "B"), *several("A", 5))
    words = ("slack", "alerts", "--topic", topic, "--every", "1s", "--channels", str(by_name))
    with running({**cluster.environ, **slack_env}, *words) as process:
        try:
            wait_for(lambda: objects(slack, "a"))
            admin.delete_topics([topic])[topic].result()
            wait_for(lambda: topic not in admin.list_topics().topics)
            admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
            publish(topic, *several("A", 3, first=10))
            wait_for(lambda: len(objects(slack, "a")) >= 8)
        finally:
            process.terminate()
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert "created again" in said


@pytest.mark.parametrize(
    ("count", "classes"), [(600, 6), pytest.param(10_000, 30, marks=pytest.mark.long)]
)
def test_a_busy_night_and_one_call_in_three_is_refused(
    slack: FakeSlack, alerts: Alerts, publish: Publish, topic: str, count: int, classes: int
) -> None:
    kinds = [f"Class{number:02d}" for number in range(classes)]
    for kind in kinds:
        slack.add_channel(kind.lower())
    slack.limit_every = 3
    publish(topic, *((f"A-{at}", kinds[at % classes]) for at in range(count)))
    done = alerts(topic)
    assert done.returncode == 0, done.stderr
    assert [each.to for each in slack.posts] == [kind.lower() for kind in kinds]
    assert sum(each["alerts"] for each in json.loads(done.stdout)["posted"]) == count
    for at, kind in enumerate(kinds):
        newest = [f"A-{number}" for number in range(at, count, classes)][-10:]
        assert objects(slack, kind.lower()) == newest[::-1]


def test_a_dry_run_shows_and_sends_nothing(
    slack: FakeSlack, fink: Fink, alerts: Alerts, publish: Publish, topic: str
) -> None:
    publish(topic, *several("RRLyrae", 2))
    shown = fink("slack", "alerts", "--topic", topic, "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "To #rrlyrae:" in shown.stdout
    assert "RRLyrae-1" in shown.stdout
    assert slack.calls == []
    slack.add_channel("rrlyrae")
    assert alerts(topic).returncode == 0
    assert len(slack.posts) == 1


def test_where_of_a_channel(
    slack: FakeSlack, alerts: Alerts, publish: Publish, topic: str, tmp_path: Path
) -> None:
    for name in ("all", "some"):
        slack.add_channel(name)
    file = tmp_path / "map.toml"
    file.write_text('[classes]\nA = ["all", "#some"]\n[where]\n"#some" = "candidate.rb > 0.25"\n')
    publish(topic, *several("A", 4))
    done = alerts(topic, "--channels", str(file))
    assert json.loads(done.stdout)["kept_out"] == {"#some": 3}
    assert (len(objects(slack, "all")), objects(slack, "some")) == (4, ["A-3"])


def test_wrong_usage(alerts: Alerts, tmp_path: Path) -> None:
    assert alerts("t", "--every", "soon").returncode == 2
    assert alerts("t", env={"SLACK_API_TOKEN": ""}).returncode == 2
    file = tmp_path / "map.toml"
    file.write_text("colour = 'red'")
    wrong = alerts("t", "--channels", str(file))
    assert (wrong.returncode, "colour" in wrong.stderr) == (2, True)
