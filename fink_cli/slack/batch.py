"""Post a batch of alerts to the channels of their classes, as fink_broker did."""

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

# The columns of fink_broker, and those of today's alerts.
COLUMNS = ("objectId", "candidate_ra", "candidate_dec", "cross_match_alerts_per_batch")
NESTED = ("objectId", "candidate.ra", "candidate.dec", "cdsxmatch")
_MOST_ROWS = 50


@dataclass(frozen=True)
class BatchResult:
    """The result of posting a batch.

    Attributes:
        posted: the number of alerts posted, by channel.
        refused: the error of each channel whose message Slack refused.
        without_channel: the number of alerts not posted, by class; ``""`` for null.
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
    """Post each class of a batch to the channel of its name: ``EB*WUMa`` to ``#ebwuma``.

    There is one message for each class, with 50 rows at most and the count of the others. Unknown,
    empty and null classes are not posted.

    Args:
        df: a Spark or pandas DataFrame, or dicts, one for each alert.
        channels: the channels that may be posted to: their names, or a file with one a line;
            ``None`` for those that ``conf/slack.toml`` allows.
        object_column: the column of the object's name. The default of this and the next three are
            ``COLUMNS`` if the first alert has them, else ``NESTED``. A dotted path enters a struct.
        ra_column: the column of the right ascension, in degrees.
        dec_column: the column of the declination, in degrees.
        class_column: the column of the class.
        client: the client; ``None`` for that of :func:`get_slack_client`.

    Returns:
        The alerts that were posted, refused, or without a channel. A refused channel does not hold
        up the others.

    Raises:
        UsageError: there is no token, the file of channels can't be read, or a column is missing.
        SlackRefusedError: Slack refused the token.
    """
    allowed = _allowed(channels)
    columns = (object_column, ra_column, dec_column, class_column)
    by_class: dict[str, list[tuple[Any, ...]]] = {}
    for values in _values(_dicts(df), columns):
        kind = values[1][3]
        by_class.setdefault(kind if isinstance(kind, str) else "", []).append(values)
    posted: dict[str, int] = {}
    refused: dict[str, SlackRefusedError] = {}
    without = {}
    for kind, alerts in by_class.items():
        channel = channel_of(kind)
        if channel is None or channel not in allowed:
            without[kind] = len(alerts)
            continue
        client = client or get_slack_client()
        rows = tuple(Row(tuple(cell_text(value) for value in values)) for _, values in alerts)
        section = Section(kind, len(rows), alerts[0][0], rows[:_MOST_ROWS])
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
        return set(read_channel_map().allowed or ())
    if isinstance(channels, str | Path):
        try:
            lines = Path(channels).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"The file of channels {channels} can't be read.", "Write one channel a line."
            ) from error
        # '#rrlyr' is a channel; '# rrlyr', '##' and '#' begin a comment.
        channels = [
            line for line in map(str.strip, lines) if line and line[:2] not in {"#", "# ", "##"}
        ]
    return {channel_name(name) for name in channels}


def _dicts(df: Any) -> Iterator[Mapping[str, Any]]:
    """Return the rows of a DataFrame or an iterable, without importing Spark or pandas."""
    if hasattr(df, "toLocalIterator"):
        return (row.asDict(recursive=True) for row in df.toLocalIterator())
    if hasattr(df, "to_dict") and hasattr(df, "iloc"):
        return iter(df.to_dict("records"))
    return iter(df)


def _values(
    alerts: Iterator[Mapping[str, Any]], columns: Sequence[str | None]
) -> Iterator[tuple[tuple[str, ...], tuple[Any, ...]]]:
    """Yield for each alert the names of its columns, and their values."""
    names: tuple[str, ...] = ()
    for alert in alerts:
        names = names or tuple(
            _column(alert, *(defaults if name is None else (name,)))
            for name, *defaults in zip(columns, COLUMNS, NESTED, strict=True)
        )
        yield names, tuple(_at(alert, name)[1] for name in names)


def _column(alert: Mapping[str, Any], *names: str) -> str:
    for name in names:
        if _at(alert, name)[0]:
            return name
    raise UsageError(
        f"The alerts have no column {' or '.join(names)}.",
        f"Name the columns; there are: {', '.join(map(str, list(alert)[:20]))}",
    )


def _at(alert: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Return whether there is a column, and its value. Its name may itself hold a dot."""
    if path in alert:
        return True, alert[path]
    value: Any = alert
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return False, None
        value = value[step]
    return True, value
