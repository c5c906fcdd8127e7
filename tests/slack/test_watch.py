"""`fink slack watch`: alarms on Slack, once each when they begin and when they end."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fink_cli.distribution.service.folder import About, Folder, write_about
from fink_cli.distribution.service.status import Report, Status, write_report
from fink_cli.metrics.figures import Figures, GroupFigures
from fink_cli.metrics.watch import AlarmWatch, open_watch
from fink_cli.slack.client import SlackClient
from fink_cli.slack.errors import SlackRefusedError
from tests.support.cluster import TestCluster
from tests.support.fink import Fink
from tests.support.processes import running
from tests.support.slack import FakeSlack, broken, refused
from tests.support.waiting import wait_for

UP = Figures(up=True, brokers=3)
BROKEN = replace(UP, brokers_away=[2])
MIDNIGHT = 1_795_824_000.0  # 2026-11-28 00:00 UTC


@pytest.fixture
def ops(slack: FakeSlack) -> FakeSlack:
    """A workspace with the operators' channel."""
    slack.add_channel("ops")
    return slack


def looks(
    home: Path, client: SlackClient, *figures: Figures, at: float = 0, heartbeat: str | None = None
) -> None:
    """Look once a minute, and post."""
    with open_watch(home, "servers", "#ops", heartbeat) as watch:
        for number, each in enumerate(figures):
            look(watch, client, each, at + 60 * number)


def look(watch: AlarmWatch, client: SlackClient, figures: Figures, at: float) -> None:
    watch.judge(figures, MIDNIGHT + at)
    watch.keep()
    watch.post(lambda message: client.post("#ops", message))


def test_an_alarm_is_posted_when_it_begins_and_when_it_ends(
    tmp_path: Path, ops: FakeSlack, client: SlackClient
) -> None:
    looks(tmp_path, client, UP, BROKEN)
    assert ops.posts == []  # not for a minute yet
    looks(tmp_path, client, BROKEN, BROKEN, BROKEN, at=120)
    [begun] = ops.posts
    assert begun.shown.splitlines() == [
        ":red_circle: *FinkBrokerDown* since 00:01 UTC",
        "`A broker is away: fink kafka status`",
    ]
    looks(tmp_path, client, UP, UP, at=300)
    _, over = ops.posts
    assert over.shown.startswith(
        ":large_green_circle: *FinkBrokerDown* is over, at 00:05 UTC after 4 min"
    )
    [file] = (tmp_path / "slack").glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_many_alarms_of_a_kind_are_one_message(
    tmp_path: Path, ops: FakeSlack, client: SlackClient
) -> None:
    groups = [GroupFigures(f"g{number}<!channel>`", "t", 1, 60.0) for number in range(25)]
    looks(tmp_path, client, replace(UP, groups=groups))
    [post] = ops.posts
    assert "… and 5 more" in post.shown
    assert "<!channel>" not in post.shown + post.text


def test_what_slack_does_not_accept_is_posted_later_in_its_order(
    tmp_path: Path, ops: FakeSlack, client: SlackClient
) -> None:
    ops.faults = [refused("fatal_error")] * 2
    losing = replace(UP, groups=[GroupFigures("g", "t", 1, 60.0)])
    with pytest.raises(SlackRefusedError):
        looks(tmp_path, client, losing)
    with pytest.raises(SlackRefusedError):
        looks(tmp_path, client, UP, at=60)
    assert ops.posts == []
    looks(tmp_path, client, UP, at=120)
    assert [post.shown.split()[0] for post in ops.posts] == [":red_circle:", ":large_green_circle:"]


def test_a_heartbeat_a_day(tmp_path: Path, ops: FakeSlack, client: SlackClient) -> None:
    status = Status("running", name="ztf", read=5)
    figures = replace(UP, distributions=[status])
    for hour in (7.9, 8.1, 9, 24 + 7, 24 + 12):
        looks(tmp_path, client, figures, at=hour * 3600, heartbeat="08:00")
    assert len(ops.posts) == 2
    assert "3 brokers, 0 topics, 1 distribution at work; no alarm is on" in ops.posts[0].shown
    assert "ztf: running, 5 alerts read, last batch never" in ops.posts[0].shown


def test_one_process_posts_to_a_channel(tmp_path: Path) -> None:
    with open_watch(tmp_path, "servers", "#ops") as watch:
        watch.keep()
        with pytest.raises(Exception, match="Another fink slack watch posts to #ops"):
            looks(tmp_path, None)  # type: ignore[arg-type]
    [file] = (tmp_path / "slack").glob("*.json")
    file.write_text('{"told": 5}')
    with pytest.raises(Exception, match="is damaged"):
        looks(tmp_path, None)  # type: ignore[arg-type]


@pytest.fixture
def died(cluster: TestCluster, tmp_path: Path) -> dict[str, str]:
    """A home of its own on the cluster of the tests, with a distribution that failed."""
    folder = Folder(tmp_path / "distributions" / "ztf")
    folder.path.mkdir(parents=True)
    write_about(folder, About("ztf", "/science", None, ["t"]))
    write_report(folder, Report(0, "", Status("failed", name="ztf")))
    login: dict[str, Any] = cluster.connection.librdkafka()
    return {
        **cluster.environ,
        **cluster.as_user(login["sasl.username"], login["sasl.password"]),
        "FINK_HOME": str(tmp_path),
    }


def about_ztf(ops: FakeSlack) -> list[str]:
    """What was posted of the distribution: other tests leave late groups on the cluster."""
    return [post.shown for post in ops.posts if "Distribution ztf" in post.shown]


def test_the_command(
    died: dict[str, str], fink: Fink, ops: FakeSlack, slack_env: dict[str, str]
) -> None:
    """A Slack that is away for a while, a restart, and the end of the alarm."""
    environ = died | slack_env
    words = ("slack", "watch", "--channel", "#ops", "--every", "1s")
    drafted = fink(*words, "--dry-run", "-o", "json", env=environ)
    assert drafted.returncode == 0, drafted.stderr
    assert "Distribution ztf does not publish (failed)" in drafted.stdout
    assert ops.posts == []
    ops.faults = [broken()] * 6
    with running(environ, *words) as watching:
        wait_for(lambda: about_ztf(ops))
        watching.terminate()
        _, said = watching.communicate(timeout=30)
    assert watching.returncode == 130, said
    assert "message(s) wait" in said
    folder = Folder(Path(environ["FINK_HOME"]) / "distributions" / "ztf")
    write_report(folder, Report(0, "", Status("stopped", name="ztf")))
    with running(environ, *words):
        wait_for(lambda: len(about_ztf(ops)) == 2)
    begun, over = about_ztf(ops)
    assert begun.startswith(":red_circle:")
    assert "Distribution ztf does not publish (failed): fink distribute status" in begun
    assert "*FinkDistributionNotPublishing* is over" in over


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--channel", "other"], 1, "The bot can't post in #other: missing."),
        (["--channel", "ops", "--heartbeat", "8"], 2, "is not a time of the day"),
        (["--channel", "ops", "--every", "1"], 2, "--every '1' is not a time."),
    ],
)
def test_mistakes(
    fink: Fink, ops: FakeSlack, slack_env: dict[str, str], words: list[str], code: int, said: str
) -> None:
    done = fink("slack", "watch", *words, env=slack_env)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
