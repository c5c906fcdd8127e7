"""Check the distributions of this machine: whether one failed, died or is stuck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fink_cli.distribution.prepare import Options
from fink_cli.distribution.service.local import LocalDistribution, local_distributions
from fink_cli.distribution.service.states import BAD
from fink_cli.doctor.check_result import CheckResult, failure, fine
from fink_cli.paths import fink_home
from fink_cli.text import fink_command


def check_distributions() -> CheckResult:
    """Check the distributions that were begun in this ``FINK_HOME``."""
    return judge_distributions(local_distributions(fink_home(), Options()))


def judge_distributions(distributions: Sequence[LocalDistribution]) -> CheckResult:
    """Judge whether all distributions publish that should."""
    statuses = {each.about.name: each.report.status for each in distributions if each.report}
    if not statuses:
        return fine("distributions", "none was begun here")
    states = Counter(status.state for status in statuses.values())
    text = ", ".join(f"{count} {state}" for state, count in states.items())
    for name, status in statuses.items():
        if status.state in BAD:
            return failure(
                "distributions",
                f"{text}; {name} is {status.state} since {status.since}: {status.error}",
                f"See more: {fink_command('distribute', 'status', '--name', name)}",
            )
    return fine("distributions", text)
