"""Read declared access: the TOML file of ``fink acl plan`` and ``apply``.

``conf/access.toml`` is an example that explains every setting.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from fink_cli.admin.acl.model import ANY, kafka_host, pattern, user_name
from fink_cli.admin.client_files import group_prefix
from fink_cli.admin.quotas import rate
from fink_cli.admin.users import valid_user
from fink_cli.declared_files import read_toml, validated
from fink_cli.errors import UsageError

_EXAMPLE = "An example with every setting: conf/access.toml"

NO_LIMIT = "none"


def declared_rate(text: str) -> float | None:
    """Return the bytes a second that a setting stands for; ``None`` for ``none``."""
    return None if text == NO_LIMIT else rate(text)


def _checked_by(check: Callable[[str], object]) -> AfterValidator:
    def validate(text: str) -> str:
        try:
            check(text)
        except UsageError as error:  # pydantic wants a ValueError, and adds the setting's path
            raise ValueError(error.message) from error
        return text

    return AfterValidator(validate)


_Name = Annotated[str, _checked_by(pattern)]
_Host = Annotated[str, _checked_by(kafka_host)]
_User = Annotated[str, _checked_by(valid_user)]
_Rate = Annotated[str, _checked_by(declared_rate)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DeclaredTopic(_Table):
    """A topic that must exist. The settings apply if it is created.

    Attributes:
        partitions: the number of partitions; ``None`` for the brokers' default.
        replication_factor: the replication factor; ``None`` for the brokers' default.
    """

    partitions: Annotated[int, Field(ge=1)] | None = None
    replication_factor: Annotated[int, Field(ge=1)] | None = None
    config: dict[str, str] = {}


class DeclaredUser(_Table):
    """All access that a user shall have; ``fink_*`` stands for every name with that prefix.

    Attributes:
        consumer: the topics that it reads.
        producer: the topics that it writes.
        groups: the consumer groups that it may use; ``None`` for those whose names begin with its
            name and ``-``, if it reads a topic.
        hosts: the IP addresses that it connects from; ``*`` for any.
        consume_rate: how much it may read, for example ``20MB/s``; ``none`` removes a limit, and
            ``None`` leaves it as it is.
        produce_rate: how much it may write.
    """

    consumer: list[_Name] = []
    producer: list[_Name] = []
    groups: list[_Name] | None = None
    hosts: Annotated[list[_Host], Field(min_length=1)] = [ANY]
    consume_rate: _Rate | None = None
    produce_rate: _Rate | None = None

    def limits(self) -> dict[str, float | None]:
        """Return the limits that it shall have, by their names in a quota; ``None`` for none."""
        named = {"consume_rate": self.consume_rate, "produce_rate": self.produce_rate}
        return {name: declared_rate(text) for name, text in named.items() if text is not None}

    def groups_of(self, user: str) -> list[str]:
        """Return the consumer groups that the user may use."""
        if self.groups is not None:
            return self.groups
        return [f"{group_prefix(user)}{ANY}"] if self.consumer else []


class AccessFile(_Table):
    """A file of declared access.

    Attributes:
        cluster_id: Kafka's id of the cluster that it is for; ``None`` for any.
        topics: the topics that must exist, by name.
        users: the users that the file governs, by name.
    """

    cluster_id: str | None = None
    topics: dict[str, DeclaredTopic] = {}
    users: dict[_User, DeclaredUser] = {}

    @field_validator("users", mode="before")
    @classmethod
    def _bare_users(cls, users: object) -> object:
        if not isinstance(users, dict):
            return users
        bare = {user_name(str(name)): user for name, user in users.items()}
        if len(bare) < len(users):
            raise ValueError("a user stands there twice, once as 'User:NAME'")
        return bare


def read_declaration(file: Path) -> AccessFile:
    """Read a file of declared access.

    Raises:
        UsageError: the file can't be read, is not TOML, or has a wrong setting.
    """
    tables: dict[str, type[BaseModel]] = {"topics": DeclaredTopic, "users": DeclaredUser}
    document = read_toml(file, _EXAMPLE)
    return validated(AccessFile, document, name=str(file), example=_EXAMPLE, tables=tables)
