"""Check Slack's token."""

from __future__ import annotations

from fink_cli.doctor.check_result import CheckResult, failure, fine, warning
from fink_cli.settings import slack_token
from fink_cli.slack.check import NEEDED, SlackCheck, check
from fink_cli.slack.client import get_slack_client


def check_slack(profile: str | None) -> CheckResult:
    """Check whether Slack accepts the token, and what it may do.

    Raises:
        FinkError: the profile is wrong, or Slack refuses the token or does not answer.
    """
    if not slack_token(profile):
        return warning("slack", "not configured", "To report alerts there, set SLACK_API_TOKEN")
    return judge_slack(check(get_slack_client(profile), {}))


def judge_slack(checked: SlackCheck) -> CheckResult:
    """Judge whether a bot can post and use all of fink's commands."""
    who = f"bot '{checked.bot}' of '{checked.team}'"
    hint = "Add it to the app under OAuth & Permissions, and install the app again."
    if NEEDED in checked.missing:
        return failure("slack", f"{who} lacks the scope {NEEDED}: it can't post", hint)
    if checked.missing:
        lacking = ", ".join(f"{scope} ({why})" for scope, why in checked.missing.items())
        return warning("slack", f"{who} lacks {lacking}", hint)
    member = sum(channel.state == "ok" for channel in checked.channels)
    return fine("slack", f"{who}, in {member} channel(s)")
