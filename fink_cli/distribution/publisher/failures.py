"""The failures of a slot by Kafka's errors: fenced, topic closed, brokers away."""

from __future__ import annotations

from confluent_kafka import KafkaError

from fink_cli.distribution.progress.dead_letters import TOO_LARGE
from fink_cli.distribution.publisher.work import (
    CLOSED,
    FENCED,
    OTHER,
    REFUSED,
    UNREACHABLE,
    Failure,
)

FENCING = {
    KafkaError._FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
    KafkaError.PRODUCER_FENCED,
}
_NO_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}
_AWAY = {
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.CONCURRENT_TRANSACTIONS,
}


class SlotError(Exception):
    """A slot can't be published to its end."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def kind_of(error: KafkaError) -> str:
    """Return the kind of a failure that an error of Kafka's is."""
    code = error.code()
    if code in FENCING:
        return FENCED
    if code in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
        return TOO_LARGE
    if code in _NO_TOPIC or code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return CLOSED
    if code in _AWAY:
        return UNREACHABLE
    if code in _REFUSED:
        return REFUSED
    return OTHER


_REFUSED = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


def failure_of(error: KafkaError) -> Failure:
    """Return the failure of the slot that an error of Kafka's means."""
    return Failure(kind_of(error), error.name(), error.str())
