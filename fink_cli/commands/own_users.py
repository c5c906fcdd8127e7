"""What a person is told of the users that fink made for the local cluster itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fink_cli import console


def explain_own_users(own: Mapping[str, str], shown: Collection[str]) -> None:
    """Say of each user of the cluster's own that was shown what it is for."""
    for user, purpose in own.items():
        if user in shown:
            console.note(f"{user} is the cluster's own: {purpose}.")
