"""Turn Slack's errors into errors for the user.

The names are those of https://docs.slack.dev/reference/methods/chat.postMessage#errors, which the
other methods share.
"""

from __future__ import annotations

from fink_cli.errors import OperationFailedError

TOKEN_ERRORS = {
    "account_inactive",
    "invalid_auth",
    "not_authed",
    "token_expired",
    "token_revoked",
}
# After these, Slack says, some part of the operation may have succeeded.
_UNCERTAIN = {
    "fatal_error",
    "internal_error",
    "request_timeout",
    "service_unavailable",
    "unreachable",
}
_NEW_TOKEN = "Set SLACK_API_TOKEN to a bot token of your app (https://api.slack.com/apps)."  # noqa: S105
_MESSAGES = {
    "channel_not_found": (
        "There is no Slack channel {where} that the bot can see.",
        "Create it, or invite the bot to a private one: /invite @{bot}",
    ),
    "not_in_channel": ("The bot is not in the Slack channel {where}.", "Invite it: /invite @{bot}"),
    "is_archived": (
        "The Slack channel {where} is archived.",
        "Restore it in Slack, or name another channel.",
    ),
    "invalid_auth": ("Slack refused the token.", _NEW_TOKEN),
    "not_authed": ("Slack got no token.", _NEW_TOKEN),
    "token_revoked": ("The Slack token was revoked.", _NEW_TOKEN),
    "token_expired": ("The Slack token has expired.", _NEW_TOKEN),
    "account_inactive": ("The Slack token is of an app or a workspace that is gone.", _NEW_TOKEN),
    "ratelimited": ("Slack takes no more messages for now.", "Try again in a minute."),
    "restricted_action": (
        "The workspace does not let the bot post in {where}.",
        "Ask an administrator of the workspace to allow it.",
    ),
    "msg_too_long": ("The message is too long for Slack.", "Send it in parts."),
    "no_text": ("The message is empty.", "Give a text: fink slack send --channel C 'MESSAGE'"),
}


class SlackRefusedError(OperationFailedError):
    """Slack refused a request, or did not answer.

    Attributes:
        code: Slack's name of the error, ``http_503`` or similar, or ``unreachable``.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code = code

    @property
    def is_of_token(self) -> bool:
        """Whether no other call with this token can succeed."""
        return self.code in TOKEN_ERRORS

    @property
    def is_certain(self) -> bool:
        """Whether nothing was done; else the request may have succeeded all the same."""
        return self.code not in _UNCERTAIN and not self.code.startswith("http_")


def refusal(
    code: str, where: str = "", *, bot: str = "", status: int = 200, needed: str = ""
) -> SlackRefusedError:
    """Return the error for an answer of Slack."""
    if status >= 500:
        return SlackRefusedError(
            f"http_{status}",
            f"Slack has trouble: it answered with HTTP {status}.",
            "Try again later; https://status.slack.com says what is wrong.",
        )
    if code == "missing_scope":
        return SlackRefusedError(
            code,
            f"The Slack token lacks the scope {needed or 'that this needs'}.",
            "Add it to the app under OAuth & Permissions, and install the app again.",
        )
    message, hint = _MESSAGES.get(
        code, ("Slack refused it: {code}.", "See what the token may do: fink slack check")
    )
    words = {"where": where, "bot": bot or "BOT", "code": code[:100]}
    return SlackRefusedError(code, message.format(**words), hint.format(**words))


def unreachable(url: str, reason: str) -> SlackRefusedError:
    """Return the error for a Slack that does not answer."""
    return SlackRefusedError(
        "unreachable",
        f"Slack does not answer at {url}: {reason}.",
        "Check the network, and FINK_SLACK_API_URL if it is set.",
    )
