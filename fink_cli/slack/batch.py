"""A batch of alerts sent to the channels of their classes, as the first fink did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fink_cli.errors import UsageError
from fink_cli.slack.channel_map import read_channel_map
from fink_cli.slack.channel_names import channel_name, channel_of
from fink_cli.slack.client import SlackClient, get_slack_client
from fink_cli.slack.errors import SlackRefusedError
from fink_cli.slack.messages import Row, Section, cell_text, compose

# The names of the first fink, and those of today's alerts.
COLUMNS = ("objectId", "candidate_ra", "candidate_dec", "cross_match_alerts_per_batch")
NESTED = ("objectId", "candidate.ra", "candidate.dec", "cdsxmatch")
_MOST_ROWS = 50


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch.

    Attributes:
        posted: how many alerts went to each channel.
        refused: for each channel whose message Slack did not accept, why.
        without_channel: how many alerts of each class went nowhere; null classes under ``""``.
    """

    posted: dict[str, int]
    refused: dict[str, SlackRefusedError]
    without_channel: dict[str, int]


def send_slack_alerts(
    df: Any,
    channels: str | Path | Iterable[str] | None = None,
    *,
    object_column: str | None = None,
    ra_column: str | None = None,
    dec_column: str | None = None,
    class_column: str | None = None,
    client: SlackClient | None = None,
) -> BatchResult:
    """Send each class of a batch to the channel of its name: ``EB*WUMa`` to ``#ebwuma``.

    One message a class, in the order in which the classes first come; 50 rows of it at most, and
    the count of the others. Unknown, empty and null classes go nowhere.

    Args:
        df: a Spark or pandas DataFrame, or dicts, one an alert.
        channels: the channels that may be written to: their names, or a file with one a line;
            ``None`` for those that the shipped ``conf/slack.toml`` allows.
        object_column: the column of the object's name; with the next three, ``COLUMNS`` where the
            first alert has it, else ``NESTED``. A dotted path enters a struct.
        ra_column: that of the right ascension, degrees.
        dec_column: that of the declination, degrees.
        class_column: that of the class.
        client: the client; else that of :func:`get_slack_client`.

    Returns:
        What was posted, what was refused, and what has no channel. A refused channel does not
        hold up the others.

    Raises:
        UsageError: there is no token, the file of channels can't be read, or a column is missing.
        SlackRefusedError: Slack refused the token.
    """
    allowed = _allowed(channels)
    given = (object_column, ra_column, dec_column, class_column)
    by_class: dict[str, list[tuple[Any, ...]]] = {}
    for values in _values(_dicts(df), given):
        kind = values[1][3]
        by_class.setdefault(kind if isinstance(kind, str) else "", []).append(values)
    posted: dict[str, int] = {}
    refused: dict[str, SlackRefusedError] = {}
    without = {}
    for kind, found in by_class.items():
        channel = channel_of(kind)
        if channel is None or channel not in allowed:
            without[kind] = len(found)
            continue
        client = client or get_slack_client()
        rows = tuple(Row(tuple(cell_text(each) for each in cells)) for _, cells in found)
        section = Section(kind, len(rows), found[0][0], rows[:_MOST_ROWS])
        try:
            client.post(channel, compose([section]))
        except SlackRefusedError as error:
            if error.is_of_token:
                raise
            refused[channel] = error
        else:
            posted[channel] = posted.get(channel, 0) + len(rows)
    return BatchResult(posted, refused, without)


def _allowed(channels: str | Path | Iterable[str] | None) -> Set[str]:
    if channels is None:
        return read_channel_map().allowed or set()
    if isinstance(channels, str | Path):
        try:
            lines = Path(channels).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"The file of channels {channels} can't be read.", "Write one channel a line."
            ) from error
        # '#rrlyr' is a channel; '# rrlyr', '##' and '#' begin a comment.
        channels = [
            each for each in map(str.strip, lines) if each and each[:2] not in {"#", "# ", "##"}
        ]
    return {channel_name(each) for each in channels}


def _dicts(df: Any) -> Iterator[Mapping[str, Any]]:
    """The rows of whatever was given, without importing Spark or pandas to ask what it is."""
    if hasattr(df, "toLocalIterator"):
        return (row.asDict(recursive=True) for row in df.toLocalIterator())
    if hasattr(df, "to_dict") and hasattr(df, "iloc"):
        return iter(df.to_dict("records"))
    return iter(df)


def _values(
    alerts: Iterator[Mapping[str, Any]], given: Sequence[str | None]
) -> Iterator[tuple[tuple[str, ...], tuple[Any, ...]]]:
    """For each alert the names of its columns, and what they hold."""
    names: tuple[str, ...] = ()
    for alert in alerts:
        names = names or tuple(
            _column(alert, *(ways if wish is None else (wish,)))
            for wish, *ways in zip(given, COLUMNS, NESTED, strict=True)
        )
        yield names, tuple(_at(alert, each)[1] for each in names)


def _column(alert: Mapping[str, Any], *names: str) -> str:
    for each in names:
        if _at(alert, each)[0]:
            return each
    raise UsageError(
        f"The alerts have no column {' or '.join(names)}.",
        f"Name the columns; there are: {', '.join(map(str, list(alert)[:20]))}",
    )


def _at(alert: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Whether there is such a column, and its value. A name may itself hold a dot."""
    if path in alert:
        return True, alert[path]
    value: Any = alert
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return False, None
        value = value[step]
    return True, value
