"""A workspace for a test, and the environment that leads to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fink_cli.slack.client import SlackClient, get_slack_client
from tests.support.slack import TOKEN, FakeSlack, fake_slack


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    """An empty workspace."""
    with fake_slack() as running:
        yield running


@pytest.fixture
def slack_env(slack: FakeSlack) -> dict[str, str]:
    """The variables that lead to the workspace."""
    return {"SLACK_API_TOKEN": TOKEN, "FINK_SLACK_API_URL": slack.url}


@pytest.fixture
def in_slack(slack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process meets the workspace."""
    for key, value in slack_env.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def client(in_slack: None) -> SlackClient:
    """A client of the workspace."""
    return get_slack_client()
