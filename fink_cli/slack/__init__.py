"""Slack: messages to channels and people, and digests of alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fink_cli.slack.batch import send_slack_alerts
    from fink_cli.slack.client import get_slack_client

__all__ = ["get_slack_client", "send_slack_alerts"]


def __getattr__(name: str) -> Any:
    """Import a name when it is used: the pure parts of this room need no Slack client."""
    if name == "get_slack_client":
        from fink_cli.slack.client import get_slack_client

        return get_slack_client
    if name == "send_slack_alerts":
        from fink_cli.slack.batch import send_slack_alerts

        return send_slack_alerts
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
