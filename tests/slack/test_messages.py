"""What a message looks like, and which channel a class goes to."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from fink_cli.alerts.lightcurve import LightCurve
from fink_cli.avro.decoded import Decoded
from fink_cli.avro.schema import read_schema
from fink_cli.consumer.message import ReadAlert
from fink_cli.errors import OperationFailedError, UsageError
from fink_cli.kafka.offsets import Partition
from fink_cli.slack.channel_map import parse_channel_map, read_channel_map
from fink_cli.slack.channel_names import channel_of
from fink_cli.slack.digest_sink import DigestSink
from fink_cli.slack.journal import open_journal
from fink_cli.slack.messages import Row, Section, cell_text, compose, link_to
from fink_cli.slack.waiting_alerts import WaitingAlert, WaitingAlerts
from tests.support.slack import wrong_in


@pytest.mark.parametrize(
    ("kind", "channel"),
    [
        ("RRLyr", "#rrlyr"),
        ("EB*WUMa", "#ebwuma"),
        ("Candidate_EB*", "#candidate_eb"),
        ("SN candidate-Ia", "#sncandidate-ia"),
        ("x" * 200, "#" + "x" * 80),
        ("Unknown", None),
        ("unknown ", None),
        ("", None),
        ("***", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_the_channel_of_a_class(kind: object, channel: str | None) -> None:
    assert channel_of(kind) == channel


def section(kind: str, rows: int, text: str, width: int = 3) -> Section:
    headings = tuple(f"h{number}" for number in range(width))
    return Section(kind, rows * 2, headings, (Row((text,) * width, "https://x.test/y"),) * rows)


@pytest.mark.parametrize("text", ["", "x", "&" * 500, "`<" * 100, "é\n\x00" * 30])
@pytest.mark.parametrize("classes", [1, 2, 60])
@pytest.mark.parametrize("rows", [1, 50, 400])
def test_a_message_keeps_to_the_limits(text: str, classes: int, rows: int) -> None:
    message = compose([section(f"k{text}", rows, text, 7)] * classes, f"footer {text}", "d")
    assert wrong_in({"text": message.text, "blocks": list(message.blocks)}) == ""
    assert len(message.blocks) <= 50
    assert "more alert" in json.dumps(message.blocks)


def test_a_class_for_which_there_is_no_room_is_counted() -> None:
    message = compose([section(f"k{number}", 40, "x" * 40) for number in range(9)])
    last = message.blocks[-1]["text"]["text"]
    shown = sum("`k" in each["text"]["text"] for each in message.blocks)
    assert last == f"… and {80 * (9 - shown)} alerts of {9 - shown} more classes"


def test_cells_and_links() -> None:
    assert [cell_text(each) for each in (None, float("nan"), 12.5901418, 7, "x")] == [
        *("-", "-", "12.5901418", "7", "x")
    ]
    assert link_to("https://p/{object}", "a|b>c&d") == "https://p/a%7Cb%3Ec%26d"
    assert link_to("https://p/{object}", "-") == link_to("", "a") == ""


def test_the_map_that_is_shipped_and_its_examples() -> None:
    found = read_channel_map()
    assert found.of("EB*WUMa") == ("#ebwuma",)
    assert found.of("EB*WUMa", existing={"#rrlyr"}) == ()
    text = (Path(__file__).parents[2] / "conf" / "slack.toml").read_text()
    # With the commented examples taken in.
    lines = [line.removeprefix("# ") if " = " in line else line for line in text.splitlines()]
    taken = "\n".join(lines).replace("allowed = [", 'allowed = ["#variables", "C0123456789",')
    full = parse_channel_map(tomllib.loads(taken), "slack.toml")
    assert full.of("EB*WUMa") == ("#ebwuma", "#variables")
    assert full.of("Mira") == ("C0123456789",)
    names = [{"name": name, "type": "float"} for name in ("rb", "magpsf")]
    candidate = {"type": "record", "name": "c", "fields": names}
    fields = [{"name": "candidate", "type": candidate}]
    schema = read_schema(json.dumps({"type": "record", "name": "alert", "fields": fields}))
    assert full.takes("#variables", Decoded(schema, {"candidate": {"rb": 0.95, "magpsf": 17.5}}))
    assert not full.takes("#variables", Decoded(schema, {"candidate": {"rb": 0.5, "magpsf": 1.5}}))
    assert full.mistakes("alerts", schema) == []
    other = read_schema('{"type": "record", "name": "alert", "fields": []}')
    [mistake, _] = full.mistakes("alerts", other)
    assert "#variables" in mistake
    assert "candidate.rb" in mistake


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "colour"),
        ("by_name = 1", "true or false"),
        ("link = 'x'", "address"),
        ("classes = 1", "classes: must be a table"),
        ("[classes]\nA = 1", "classes.A"),
        ("[classes]\nA = ['']", "classes.A"),
        ("by_name = true", "which are allowed"),
        ("allowed = ['#b']\n[classes]\nA = '#a'", "not allowed"),
        ("[where]\n'#a' = 1", "expression"),
        ("[where]\n'#a' = 'import os'", "--where"),
        ("[", "not TOML"),
    ],
)
def test_a_wrong_map_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "map.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_channel_map(file)


def item(offset: int, kind: str = "A", partition: int = 0) -> WaitingAlert:
    return WaitingAlert(partition, offset, float(offset), kind, ("object",), Row((f"o{offset}",)))


def test_what_waits() -> None:
    waiting = WaitingAlerts("topic", 3)
    for offset in range(10):
        waiting.add("#a", item(offset))
    waiting.add("#b", item(4, "B", partition=1))
    first, second = waiting.digests()
    assert [row.cells[0] for row in first.sections[0].rows] == ["o9", "o8", "o7"]
    assert (first.alerts, first.ends, second.ends) == (10, {0: 10}, {1: 5})
    assert waiting.first_offsets() == {0: 0, 1: 4}
    waiting.remove("#a")
    assert waiting.first_offsets() == {1: 4}


def test_several_alerts_of_one_message() -> None:
    waiting = WaitingAlerts("topic", 2)
    for _ in range(3):
        waiting.add("#a", item(1))
    (digest,) = waiting.digests()
    assert (digest.alerts, len(digest.sections[0].rows)) == (3, 2)


def test_very_many_classes_are_counted_together() -> None:
    waiting = WaitingAlerts("topic", 3)
    for offset in range(300):
        waiting.add("#a", item(offset, f"k{offset}"))
    (digest,) = waiting.digests()
    assert (digest.sections[-1].kind, digest.sections[-1].count) == ("(others)", 100)


def test_the_journal(tmp_path: Path) -> None:
    def opened() -> object:
        return open_journal(tmp_path, "cluster", "topic", "group")

    with open_journal(tmp_path, "cluster", "topic", "group") as journal:
        journal.sending("#a", "one")
        journal.accepted("#a", {0: 5, 1: 7})
        journal.sending("#b", "two")
        with pytest.raises(OperationFailedError, match="running"), opened():  # type: ignore[attr-defined]
            pass
    with open_journal(tmp_path, "cluster", "topic", "group") as journal:
        assert journal.posted_before("#a", 1) == 7
        assert journal.unanswered("#b") == "two"
        journal.refused("#b")
        journal.committed({0: 5, 1: 6})
        assert [journal.posted_before("#a", each) for each in (0, 1)] == [0, 7]
        assert journal.unanswered("#b") is None
    with open_journal(tmp_path, "cluster", "topic made anew", "group") as journal:
        assert journal.posted_before("#a", 1) == 0


def test_a_topic_that_is_created_again_while_its_offsets_wait(tmp_path: Path) -> None:
    kind = {"name": "cdsxmatch", "type": "string"}
    schema = read_schema(json.dumps({"type": "record", "name": "r", "fields": [kind]}))
    channels = parse_channel_map({"classes": {"A": "#a", "B": "#b"}}, "map")
    sent: list[tuple[str, int]] = []
    said: list[str] = []

    def send(desk: DigestSink) -> None:
        for digest in desk.waiting.digests():
            if digest.channel == "#a":
                desk.journal.accepted("#a", digest.ends)
                desk.waiting.remove("#a")
                sent.append((digest.id, digest.alerts))

    def alert(offset: int, kind: str = "A") -> ReadAlert:
        return ReadAlert("topic", 0, offset, schema, {"cdsxmatch": kind})

    topic_id = "first"
    with open_journal(tmp_path, "cluster", topic_id, "group") as journal:
        desk = DigestSink(
            "topic",
            topic_id=lambda _topic: topic_id,
            channels=channels,
            existing=None,
            waiting=WaitingAlerts(topic_id, 3),
            journal=journal,
            curve_of=lambda _alert: LightCurve(),
            send=send,
            skip=lambda _skipped: None,
            warn=said.append,
        )
        desk.add(alert(98, "B"))
        desk.add(alert(99))
        # What Slack has of the topic is not committed: the channel b refuses.
        assert desk.flush() == {Partition("topic", 0): 98}
        topic_id = "second"
        for offset in range(3):
            desk.add(alert(offset))
        assert desk.flush() == {}
    assert [count for _, count in sent] == [1, 3]
    assert said == [
        "1 alert of topic before it was created again: not sent, as Slack had not accepted them."
    ]
    # A restart knows what Slack has of the second topic, as nothing of it was committed.
    with open_journal(tmp_path, "cluster", "second", "group") as journal:
        assert journal.posted_before("#a", 0) == 3
    with open_journal(tmp_path, "cluster", "first", "group") as journal:
        assert journal.posted_before("#a", 0) == 100
