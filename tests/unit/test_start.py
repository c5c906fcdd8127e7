"""What --from says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from fink_cli.consumer.start import Start, parse_start
from fink_cli.errors import UsageError

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("earliest", "earliest"),
        ("latest", "latest"),
        ("0", 0),
        ("1234", 1234),
        ("-30m", NOW - timedelta(minutes=30)),
        ("-90s", NOW - timedelta(seconds=90)),
        ("-2h", NOW - timedelta(hours=2)),
        ("-1d", NOW - timedelta(days=1)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2024-02-29T01:02:03", datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)),
        ("2024-02-29T01:02:03Z", datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)),
        (
            "2024-02-29T01:02+01:00",
            datetime(2024, 2, 29, 1, 2, tzinfo=timezone(timedelta(hours=1))),
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
