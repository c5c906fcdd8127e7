"""What --from says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from fink_cli.consumer.start import AtOffset, Earliest, Latest, Since, Start, parse_start
from fink_cli.errors import UsageError

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("earliest", Earliest()),
        ("latest", Latest()),
        ("0", AtOffset(0)),
        ("1234", AtOffset(1234)),
        ("-30m", Since(NOW - timedelta(minutes=30))),
        ("-90s", Since(NOW - timedelta(seconds=90))),
        ("-2h", Since(NOW - timedelta(hours=2))),
        ("-1d", Since(NOW - timedelta(days=1))),
        ("2024-02-29", Since(datetime(2024, 2, 29, tzinfo=UTC))),
        ("2024-02-29T01:02:03", Since(datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC))),
        ("2024-02-29T01:02:03Z", Since(datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC))),
        (
            "2024-02-29T01:02+01:00",
            Since(datetime(2024, 2, 29, 1, 2, tzinfo=timezone(timedelta(hours=1)))),
        ),
    ],
)
def test_a_place_to_start(text: str, expected: Start) -> None:
    assert parse_start(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-5", "-30", "-3w", "--30m", "1.5", "²", "9" * 30, "-999999999d", "2024-13-01"],
)
def test_no_place_to_start(text: str) -> None:
    with pytest.raises(UsageError):
        parse_start(text, NOW)
