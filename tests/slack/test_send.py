"""Messages, people, and batches, through the real Slack client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.profiles import write_local_profile
from fink_cli.settings import slack_token
from fink_cli.slack import get_slack_client, send_slack_alerts
from fink_cli.slack.client import SlackClient
from fink_cli.slack.errors import SlackRefusedError
from tests.support.environment import clean_environ
from tests.support.fink import run_fink
from tests.support.slack import TOKEN, FakeSlack, broken, limited

COLUMNS = ("objectId", "candid", "cross_match_alerts_per_batch", "candidate_ra", "candidate_dec")
EXAMPLE = [
    dict(zip(COLUMNS, row, strict=True))
    for row in [
        ("ZTF17aabuwws", 697252840615015002, "RRLyr", 12.5901418, -13.2635671),
        ("ZTF17aabuxzj", 697252841215010003, "EB*WUMa", 9.8194532, -12.512629),
        ("ZTF18abosdxh", 697252845515010007, "RRLyr", 13.8237084, -7.6134186),
        ("ZTF18acsbtwe", 697252844515015002, "Unknown", 8.717752, -8.2367741),
    ]
]


def spark(rows: list[dict[str, Any]]) -> Any:
    """A Spark DataFrame."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    return session.getOrCreate().createDataFrame(rows)


@pytest.mark.parametrize(
    "form", [list, iter, pd.DataFrame, pytest.param(spark, marks=pytest.mark.long)]
)
@pytest.mark.usefixtures("in_slack")
def test_the_example_of_the_first_fink(slack: FakeSlack, form: Any) -> None:
    slack.add_channel("rrlyr")
    slack.add_channel("ebwuma")
    sent = send_slack_alerts(form(EXAMPLE))
    assert [each.to for each in slack.posts] == ["rrlyr", "ebwuma"]
    rrlyr, ebwuma = (each.shown for each in slack.posts)
    assert [each for each in EXAMPLE if each["objectId"] in rrlyr] == [EXAMPLE[0], EXAMPLE[2]]
    assert "12.5901418" in rrlyr
    assert "ZTF17aabuxzj" in ebwuma
    assert "ZTF18acsbtwe" not in rrlyr + ebwuma
    assert sent.posted == {"#rrlyr": 2, "#ebwuma": 1}
    assert sent.without_channel == {"Unknown": 1}
    assert slack.posts[0].text == "RRLyr: 2 alerts: ZTF17aabuwws, ZTF18abosdxh"


@pytest.mark.usefixtures("in_slack")
def test_the_names_of_todays_alerts_and_the_allowed_channels(
    slack: FakeSlack, tmp_path: Path
) -> None:
    slack.add_channel("rrlyrae")
    file = tmp_path / "channels"
    file.write_text("# allowed\nrrlyrae\n")
    alerts = [
        {"objectId": f"o{kind}", "candidate": {"ra": 1.5, "dec": -2.5}, "cdsxmatch": kind}
        for kind in ("RRLyrae", "Star", None, "")
    ]
    sent = send_slack_alerts(alerts, str(file))
    assert sent.posted == {"#rrlyrae": 1}
    assert sent.without_channel == {"Star": 1, "": 2}
    assert "candidate.ra" in slack.posts[0].shown


@pytest.mark.usefixtures("in_slack")
def test_a_refused_channel_does_not_hold_up_the_others(slack: FakeSlack) -> None:
    slack.add_channel("rrlyr", archived=True)
    slack.add_channel("ebwuma")
    sent = send_slack_alerts(EXAMPLE)
    assert sent.refused["#rrlyr"].message == "The Slack channel #rrlyr is archived."
    assert sent.posted == {"#ebwuma": 1}


@pytest.mark.usefixtures("in_slack")
def test_a_column_that_is_missing_is_named(slack: FakeSlack) -> None:
    with pytest.raises(UsageError, match="no column label"):
        send_slack_alerts(EXAMPLE, class_column="label")
    assert slack.posts == []


@pytest.mark.usefixtures("in_slack")
def test_a_long_table_is_cut_and_the_rest_counted(slack: FakeSlack) -> None:
    kinds = [f"Class{number:02d}" for number in range(4)]
    for kind in kinds:
        slack.add_channel(kind.lower())
    slack.limit_every = 3
    rows = [
        {**EXAMPLE[0], "objectId": f"o{at}", "cross_match_alerts_per_batch": kinds[at % 4]}
        for at in range(1000)
    ]
    sent = send_slack_alerts(rows, [kind.lower() for kind in kinds])
    assert [each.to for each in slack.posts] == [kind.lower() for kind in kinds]
    assert sum(sent.posted.values()) == 1000
    assert "`Class00`: 250 alerts" in slack.posts[0].shown
    assert "… and 200 more alerts" in slack.posts[0].shown
    assert slack.calls.count("chat.postMessage") == 5


@pytest.mark.parametrize(
    "fault", [limited(1), broken(500), broken(503), broken(502, **{"Retry-After": "1"})]
)
def test_slack_is_asked_again_as_it_says(slack: FakeSlack, client: SlackClient, fault: Any) -> None:
    slack.add_channel("news")
    slack.faults = [fault]
    client.send_message("#news", "New version of *Fink*")
    assert [each.text for each in slack.posts] == ["New version of *Fink*"]
    assert slack.calls.count("chat.postMessage") == 2


@pytest.fixture
def people(slack: FakeSlack) -> None:
    for number in range(4):
        slack.add_person(f"U000000{number}", f"Person {number}", f"p{number}", f"p{number}@x.org")
    slack.add_person("U1111111", "Bob Stone", "Bobby", "bob@x.org")
    slack.add_person("U2222222", "Bob Stone", "rocky", "rocky@x.org")
    slack.add_person("U3333333", "Gone Girl", "gone", "gone@x.org", deleted=True)


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("name", ["bobby", "BOB@x.org", "U1111111", "@Bobby"])
def test_a_person_by_any_name(slack: FakeSlack, client: SlackClient, name: str) -> None:
    client.send_message(name, "Your submitted query is complete")
    assert [each.to for each in slack.posts] == ["U1111111"]


@pytest.mark.usefixtures("people")
def test_a_person_by_a_name_that_is_of_nobody_or_of_two(
    slack: FakeSlack, client: SlackClient
) -> None:
    with pytest.raises(UsageError, match="2 people") as error:
        client.send_message("Bob Stone", "hello")
    assert "U1111111, U2222222" in error.value.hint
    with pytest.raises(OperationFailedError, match="Nobody"):
        client.send_message("Gone Girl", "hello")
    client.send_message("Person 3", "hello")
    assert [each.to for each in slack.posts] == ["U0000003"]
    assert slack.calls.count("users.list") == 3


def test_a_channel_by_its_id(slack: FakeSlack, client: SlackClient) -> None:
    client.send_message(slack.add_channel("news"), "hello")
    assert slack.to("news")


@pytest.mark.parametrize("text", ["", "  ", "x" * 40_001])
def test_a_text_that_slack_does_not_take(client: SlackClient, text: str) -> None:
    with pytest.raises(UsageError):
        client.send_message("#news", text)


def test_no_slack_at_all(slack_env: dict[str, str]) -> None:
    nowhere = {**slack_env, "FINK_SLACK_API_URL": "http://127.0.0.1:9/api/"}
    with pytest.raises(SlackRefusedError, match="does not answer"):
        get_slack_client(environ=nowhere)


def test_send_from_the_command_line(
    slack: FakeSlack, slack_env: dict[str, str], tmp_path: Path
) -> None:
    slack.add_channel("news")
    slack.add_channel("closed", member=False)
    env = clean_environ(tmp_path, **slack_env)
    assert run_fink("slack", "send", "--channel", "news", "hello", env=env).returncode == 0
    assert slack.to("news")[0].text == "hello"
    refused = run_fink("slack", "send", "--channel", "#closed", "hello", env=env)
    assert refused.returncode == 1
    assert "Invite it: /invite @finkbot" in refused.stderr
    assert run_fink("slack", "send", "hello", env=env).returncode == 2
    wrong = run_fink("slack", "send", "-c", "x", "y", env={**env, "SLACK_API_TOKEN": "xoxb-no"})
    assert (wrong.returncode, "xoxb" in wrong.stderr + wrong.stdout) == (1, False)
    assert "refused the token" in wrong.stderr


def test_the_token_of_a_profile(slack: FakeSlack, tmp_path: Path) -> None:
    slack.add_channel("news")
    env = clean_environ(tmp_path, FINK_SLACK_API_URL=slack.url)
    words = ("slack", "send", "-c", "news", "hello")
    assert run_fink(*words, env=env).returncode == 2
    file = Path(env["FINK_CONFIG"])
    file.write_text(f'default = "a"\n[profiles.a]\nslack_token = "{TOKEN}"\n')
    open_to_all = run_fink(*words, env=env)
    assert (open_to_all.returncode, "chmod 600" in open_to_all.stderr) == (2, True)
    file.chmod(0o600)
    assert run_fink(*words, env=env).returncode == 0


def test_a_cluster_that_starts_again_leaves_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    monkeypatch.setenv("FINK_CONFIG", str(file))
    write_local_profile(tmp_path / "one")
    file.write_text(file.read_text() + f'slack_token = "{TOKEN}"\n')
    write_local_profile(tmp_path / "two")
    assert slack_token(environ={}) == TOKEN
    assert "two" in file.read_text()


def test_check(slack: FakeSlack, slack_env: dict[str, str], tmp_path: Path) -> None:
    for number in range(7):
        slack.add_channel(f"c{number}")
    slack.add_channel("old", archived=True)
    env = clean_environ(tmp_path, **slack_env)
    assert run_fink("slack", "check", "-o", "json", env=env).stdout.count('"state": "ok"') == 7
    file = tmp_path / "map.toml"
    file.write_text('[classes]\nA = "#c6"\nB = ["old", "#none"]\n')
    found = run_fink("slack", "check", "--channels", str(file), env=env)
    assert found.returncode == 1
    assert "#old (archived), #none (missing)" in found.stderr
    slack.scopes.discard("chat:write")
    assert "chat:write" in run_fink("slack", "check", env=env).stderr


def test_the_package_loads_the_client_only_when_it_is_used() -> None:
    program = (
        "import sys, fink_cli.slack, fink_cli.slack.messages, fink_cli.slack.channel_names\n"
        "assert not {'slack_sdk', 'pandas', 'pyspark'} & set(sys.modules)\n"
        "from fink_cli.slack import get_slack_client, send_slack_alerts\n"
        "assert not {'pandas', 'pyspark'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
