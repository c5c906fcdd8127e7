"""Slack's token."""

from __future__ import annotations

from fink_cli.doctor.finding import CheckResult, failure, fine, warning
from fink_cli.settings import slack_token
from fink_cli.slack.check import NEEDED, SlackCheck, check
from fink_cli.slack.client import get_slack_client


def slack(profile: str | None) -> CheckResult:
    """Whether Slack takes the token, and what it may do.

    Raises:
        FinkError: the profile is wrong, or Slack refuses the token or does not answer.
    """
    if not slack_token(profile):
        return warning("slack", "not configured", "To report alerts there, set SLACK_API_TOKEN")
    return judge_slack(check(get_slack_client(profile), {}))


def judge_slack(found: SlackCheck) -> CheckResult:
    """Whether a bot can do its work."""
    who = f"bot '{found.bot}' of '{found.team}'"
    scopes = "Add it to the app under OAuth & Permissions, and install the app again."
    if NEEDED in found.missing:
        return failure("slack", f"{who} lacks the scope {NEEDED}: it can't post", scopes)
    if found.missing:
        lacking = ", ".join(f"{each} ({why})" for each, why in found.missing.items())
        return warning("slack", f"{who} lacks {lacking}", scopes)
    member = sum(each.state == "ok" for each in found.channels)
    return fine("slack", f"{who}, in {member} channel(s)")
