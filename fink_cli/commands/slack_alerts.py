"""``fink slack alerts``: a topic, its channels, and what became of the digests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fink_cli import console
from fink_cli.admin.topic_rights import usable_topic
from fink_cli.alerts.lightcurve import LightCurve, light_curve
from fink_cli.avro.decoder import Decoder
from fink_cli.connection import Connection
from fink_cli.consumer.loop import Counts, LoopOptions, follow
from fink_cli.consumer.message import Skipped
from fink_cli.consumer.sinks import FlushWhen
from fink_cli.consumer.start import Start
from fink_cli.consumer.topic_reader import open_topics
from fink_cli.consumer.view.table import skipped_text
from fink_cli.errors import UsageError
from fink_cli.extras import MissingExtraError
from fink_cli.interrupts import interrupts_wait
from fink_cli.paths import fink_home
from fink_cli.slack.channel_map import ChannelMap
from fink_cli.slack.check import UPLOAD
from fink_cli.slack.client import Posted, SlackClient
from fink_cli.slack.delivery import deliver, illustrate
from fink_cli.slack.digest_sink import DigestSink, Tally
from fink_cli.slack.errors import SlackRefusedError
from fink_cli.slack.journal import open_journal
from fink_cli.slack.messages import plain
from fink_cli.slack.waiting_alerts import Digest, WaitingAlerts
from fink_cli.text import counted

_INTERVAL = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class DigestRequest:
    """What is asked for: ``interval`` in seconds, ``newest`` alerts of a class in a digest."""

    topic: str
    group: str
    channels: ChannelMap
    interval: float
    newest: int
    once: bool
    start: Start | None


@dataclass(frozen=True)
class Draft:
    """A message as it would be sent: to which channel, for how many alerts, as text, as blocks."""

    channel: str
    alerts: int
    text: str
    blocks: list[Any]


@dataclass(frozen=True)
class Sent:
    """What a channel got: ``alerts`` in ``messages``."""

    channel: str
    alerts: int
    messages: int


@dataclass(frozen=True)
class Refused:
    """A channel whose last digest Slack did not accept; its alerts are not committed."""

    channel: str
    alerts: int
    error: str


@dataclass(frozen=True)
class DigestReport:
    """What became of the alerts.

    Attributes:
        read: messages read; ``skipped`` of them are not alerts.
        without_channel: how many alerts of each class went nowhere.
        kept_out: how many alerts the ``where`` of each channel kept out.
        refused: the channels that are left with alerts that Slack did not accept.
    """

    topic: str
    group: str
    read: int
    skipped: int
    without_channel: dict[str, int]
    kept_out: dict[str, int]
    posted: list[Sent]
    refused: list[Refused]
    interrupted: bool


class _Poster:
    """Posts digests, and counts what became of them.

    Attributes:
        is_stopped: whether Slack refused the token, so that nothing more is posted.
    """

    def __init__(self, topic: str, client: SlackClient) -> None:
        self.is_stopped = False
        self.draws = UPLOAD in client.identity.scopes
        self._topic = topic
        self._client = client
        self._posted: dict[str, Sent] = {}
        self._refused: dict[str, Refused] = {}
        self._pictures_refused: set[str] = set()
        self._told: Counter[str] = Counter()

    def post(self, desk: DigestSink) -> None:
        """Post the digests that wait, and then their pictures, which hold up no text."""
        if self.is_stopped:
            return
        _tell_rest(desk.tally.without_channel - self._told)
        self._told = Counter(desk.tally.without_channel)
        messages = []
        for digest in desk.waiting.digests():
            with _finished_first():
                try:
                    message = deliver(
                        digest, desk.waiting, self._client.post, desk.journal, self._topic
                    )
                except SlackRefusedError as error:
                    self._count_refused(digest, error)
                    if self.is_stopped:
                        return
                else:
                    self._count_posted(digest)
                    messages.append((digest, message))
        for digest, message in messages if self.draws else ():
            self._illustrate(digest, message)

    def _count_posted(self, digest: Digest) -> None:
        channel, alerts = digest.channel, digest.alerts
        before = self._posted.get(channel, Sent(channel, 0, 0))
        self._posted[channel] = Sent(channel, before.alerts + alerts, before.messages + 1)
        self._refused.pop(channel, None)
        console.step(f"{channel}: {counted(alerts, 'alert')}")

    def _count_refused(self, digest: Digest, error: SlackRefusedError) -> None:
        self.is_stopped = error.is_of_token
        before = self._refused.get(digest.channel)
        # A channel that stays closed is told of once.
        if before is None or before.error != error.message:
            console.warn(f"{digest.channel}: {error.message} {error.hint}")
        self._refused[digest.channel] = Refused(digest.channel, digest.alerts, error.message)

    def _illustrate(self, digest: Digest, message: Posted) -> None:
        """Add the picture to a digest; say why there is none, once for each reason."""
        try:
            illustrate(digest, message, self._client.add_picture)
        except (SlackRefusedError, MissingExtraError) as error:
            if error.message not in self._pictures_refused:
                without = f"without the light curve. {error.message} {error.hint}"
                console.warn(f"{digest.channel}: {without}")
            self._pictures_refused.add(error.message)

    def report(self, request: DigestRequest, done: _Followed) -> DigestReport:
        """Return what became of the alerts."""
        return DigestReport(
            request.topic,
            request.group,
            done.counts.read,
            done.counts.skipped,
            dict(done.tally.without_channel.most_common()),
            dict(done.tally.kept_out.most_common()),
            list(self._posted.values()),
            list(self._refused.values()),
            done.interrupted,
        )


@contextmanager
def _finished_first() -> Iterator[None]:
    """Let a message that is being sent be finished before Ctrl-C takes effect.

    Else nobody knew whether it arrived. Pressed again it takes effect at once.
    """
    with interrupts_wait() as interrupted:
        yield
    if interrupted():
        raise KeyboardInterrupt


def parse_interval(text: str) -> float:
    """Return the seconds of ``30s``, ``10m``, ``2h``, ``1d``.

    Raises:
        UsageError: it is none of these.
    """
    match = _INTERVAL.fullmatch(text)
    if match is None or not int(match[1]):
        raise UsageError(f"--every '{text}' is not a time.", "Use 30s, 10m, 2h or 1d.")
    return float(int(match[1]) * _SECONDS[match[2]])


def preview(
    request: DigestRequest, connection: Connection, client: SlackClient | None
) -> list[Draft]:
    """Return the messages that :func:`report` would send now. Nothing is sent or committed.

    Args:
        client: tells which channels there are; without one all are taken to exist.
    """
    drafts: list[Draft] = []

    def draft(desk: DigestSink) -> None:
        drafts.clear()
        for digest in desk.waiting.digests():
            message = digest.message(request.topic, desk.journal.unanswered(digest.channel))
            text, blocks = plain(message), list(message.blocks)
            drafts.append(Draft(digest.channel, digest.alerts, text, blocks))

    done = _follow(request, connection, client, draft, _no_curve, commit=False)
    if done.interrupted:
        raise KeyboardInterrupt
    _tell_rest(done.tally.without_channel)
    return drafts


def report(request: DigestRequest, connection: Connection, client: SlackClient) -> DigestReport:
    """Post digests until the end of the topic (``once``), an interrupt, or a refused token.

    Raises:
        FinkError: the topic can't be read, or the cluster is lost.
    """
    poster = _Poster(request.topic, client)
    curve_of = light_curve if poster.draws else _no_curve
    done = _follow(
        request,
        connection,
        client,
        poster.post,
        curve_of,
        commit=True,
        stopped=lambda: poster.is_stopped,
    )
    return poster.report(request, done)


@dataclass(frozen=True)
class _Followed:
    """What was read, what of it goes nowhere, and whether Ctrl-C ended it."""

    counts: Counts
    tally: Tally
    interrupted: bool


def _follow(
    request: DigestRequest,
    connection: Connection,
    client: SlackClient | None,
    send: Callable[[DigestSink], None],
    curve_of: Callable[[Mapping[str, Any]], LightCurve],
    *,
    commit: bool,
    stopped: Callable[[], bool] = lambda: False,
) -> _Followed:
    """Read until the end, or until stopped. What waits then is read again by the next run."""
    topic = usable_topic(connection, request.topic, "READ")
    existing = _existing(request, client)
    folder = fink_home() / "slack"
    with (
        open_journal(folder, topic.cluster_id, topic.topic_id, request.group) as journal,
        open_topics(
            connection,
            [request.topic],
            request.group,
            request.start,
            until_end=request.once,
            warn=console.warn,
            keeps_trying=not request.once,
        ) as source,
    ):
        if request.start is not None:
            journal.forget(write=commit)
        waiting = WaitingAlerts(topic.topic_id, request.newest)
        desk = DigestSink(
            request.topic,
            topic_id=source.topic_id,
            channels=request.channels,
            existing=existing,
            waiting=waiting,
            journal=journal,
            curve_of=curve_of,
            send=send,
            skip=_skip,
            warn=console.warn,
        )
        counts = Counts()
        rules = LoopOptions(
            complete_containers=True,
            flush_when=FlushWhen(request.interval),
            commits=commit,
            discard=waiting.clear,
            committed=desk.committed,
        )
        try:
            follow(source, Decoder(), desk, counts, rules, stopped=stopped)
        except KeyboardInterrupt:
            return _Followed(counts, desk.tally, True)
    return _Followed(counts, desk.tally, False)


def _no_curve(_alert: Mapping[str, Any]) -> LightCurve:
    return LightCurve()


def _existing(request: DigestRequest, client: SlackClient | None) -> set[str] | None:
    if client is None or not request.channels.by_name:
        return None
    return {key for each in client.channels for key in (f"#{each.name}", each.id)}


def _skip(skipped: Skipped) -> None:
    console.warn(skipped_text(skipped))


def _tell_rest(without_channel: Counter[str]) -> None:
    for kind, count in without_channel.most_common():
        console.warn(f"The class {kind} has no channel: {counted(count, 'alert')} not sent.")
