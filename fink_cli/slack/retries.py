"""The retries of Slack calls, after the time that Slack names."""

from __future__ import annotations

from slack_sdk.http_retry import (
    ConnectionErrorRetryHandler,
    HttpRequest,
    HttpResponse,
    RateLimitErrorRetryHandler,
    RetryHandler,
    RetryState,
)

# A busy night meets Slack's limit of about a message a second and channel many times in a row.
_RATE_LIMIT_RETRIES = 20
_SERVER_RETRIES = 4
_CONNECTION_RETRIES = 2


def retries() -> list[RetryHandler]:
    """Return slack_sdk's retry handlers: rate limits, server errors, failed connections."""
    return [
        ConnectionErrorRetryHandler(max_retry_count=_CONNECTION_RETRIES),
        RateLimitErrorRetryHandler(max_retry_count=_RATE_LIMIT_RETRIES),
        _ServerErrors(max_retry_count=_SERVER_RETRIES),
    ]


class _ServerErrors(RateLimitErrorRetryHandler):
    """Retry after every HTTP status 5xx: after the time that Slack names, else in a second."""

    def _can_retry(
        self,
        *,
        state: RetryState,  # noqa: ARG002
        request: HttpRequest,  # noqa: ARG002
        response: HttpResponse | None = None,
        error: Exception | None = None,  # noqa: ARG002
    ) -> bool:
        return response is not None and response.status_code >= 500
