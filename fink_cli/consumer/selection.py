"""Select alerts: those that an expression matches, without duplicates if wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from fink_cli.alerts.fields import Mistake, Path, missing_paths, shows_no_such
from fink_cli.alerts.where import Where
from fink_cli.consumer.duplicates import RecentIds
from fink_cli.consumer.message import ReadAlert


class Selection:
    """Select alerts, and check the expressions against the topics' schemas.

    The first alert of each topic shows which fields of --where and --fields the topic lacks, and
    which comparisons are never true. A mistake for every topic is an error; one for some of the
    topics is a warning.

    Args:
        where: the expression; ``None`` selects every alert.
        recent: the ids of the last alerts; ``None`` to select duplicates too.
        fields: the fields to show; ``None`` for all.
    """

    def __init__(
        self,
        where: Where | None,
        recent: RecentIds | None,
        fields: Sequence[Path] | None,
        warn: Callable[[str], None],
    ) -> None:
        self._where, self._recent, self._fields, self._warn = where, recent, fields or (), warn
        self._topics = 1
        self._checked: set[str] = set()
        self._wrong: Counter[tuple[str, Mistake]] = Counter()
        # Alerts without a schema show their fields only one by one.
        self._unseen: dict[Path, ReadAlert] = {}
        self._seen: set[Path] = set()

    def begin(self, topics: int) -> None:
        """Set the number of topics that are read."""
        self._topics = topics

    def refuse_unseen(self) -> None:
        """Raise an error if no alert had a field; call it at the end.

        Raises:
            UsageError: no alert had a field of --fields.
        """
        for path, alert in self._unseen.items():
            raise Mistake(path=path).error("--fields", alert.schema)

    def __call__(self, alert: ReadAlert) -> bool:
        """Return whether an alert is selected.

        Raises:
            UsageError: no topic has a field, or a comparison is true in none.
        """
        if alert.topic not in self._checked:
            self._check(alert)
        if alert.schema.inferred or self._unseen:
            self._look_for_fields(alert)
        if self._where is not None and not self._where.matches(alert.content, alert.schema):
            return False
        return self._recent is None or self._recent.is_new(alert.id)

    def _check(self, alert: ReadAlert) -> None:
        self._checked.add(alert.topic)
        for option, mistake in self._mistakes(alert):
            self._wrong[option, mistake] += 1
            count = self._wrong[option, mistake]
            is_everywhere = count == len(self._checked) and count >= self._topics
            if option == "--fields" and mistake.path and not mistake.is_misspelt(alert.schema):
                # Alerts of a later schema may have it: surveys add fields.
                self._unseen.setdefault(mistake.path, alert)
            elif is_everywhere and not alert.schema.inferred:
                raise mistake.error(option, alert.schema)
            self._warn(mistake.warning(option, alert.topic))

    def _mistakes(self, alert: ReadAlert) -> Iterator[tuple[str, Mistake]]:
        if self._where is not None:
            yield from (("--where", mistake) for mistake in self._where.mistakes(alert.schema))
        if not alert.schema.inferred:
            lacking = missing_paths(alert.schema, self._fields)
            yield from (("--fields", Mistake(path=path)) for path in lacking)

    def _look_for_fields(self, alert: ReadAlert) -> None:
        for path in self._fields:
            if path in self._seen:
                continue
            if not alert.schema.inferred and path not in self._unseen:
                continue
            if shows_no_such(alert.content, path.steps):
                self._unseen[path] = alert
            else:
                self._seen.add(path)
                self._unseen.pop(path, None)
