"""What librdkafka says, in our words: what passes, who is rejected, and what to do."""

import pytest
from confluent_kafka import KafkaError, KafkaException
from weir.core.errors import Refused
from weir.edges.kafka.errors import FatalError, is_retriable, retry, weir_error

WHERE = "broker:9092"
ALERTED = "Receive failed: ssl/record/rec_layer_s3.c:918:ssl3_read_bytes error:0A00045C:SSL routines::"
MOVING = KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION)


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._DESTROY_BROKER,
    ],
)
def test_a_move_of_leaders_and_coordinators_passes(code):
    assert is_retriable(KafkaError(code))


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._AUTHENTICATION,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError.INVALID_SESSION_TIMEOUT,
    ],
)
def test_what_needs_a_person_does_not_pass(code):
    assert not is_retriable(KafkaError(code))
    said = str(weir_error(KafkaError(code, "said"), WHERE))
    assert "said (broker:9092): " in said
    assert not said.startswith("Kafka reports"), "it needs words of its own"


def test_patience_asks_until_there_is_an_answer():
    answers = [KafkaException(MOVING), KafkaException(MOVING), 7]

    def ask():
        answer = answers.pop(0)
        if isinstance(answer, KafkaException):
            raise answer
        return answer

    assert retry(ask, 60) == 7


@pytest.mark.parametrize(("code", "budget_s"), [(MOVING.code(), 0.0), (KafkaError.GROUP_AUTHORIZATION_FAILED, 60.0)])
def test_patience_ends_with_the_budget_and_with_what_does_not_pass(code, budget_s):
    def ask():
        raise KafkaException(KafkaError(code))

    with pytest.raises(KafkaException):
        retry(ask, budget_s)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            KafkaError(KafkaError._AUTHENTICATION, "wrong password"),
            "credentials: wrong password .*SASL_PASSWORD",
        ),
        (
            KafkaError(KafkaError._SSL, "certificate verify failed"),
            "no TLS connection to Kafka: certificate .*SSL_CA_FILE",
        ),
        (
            KafkaError(KafkaError._TRANSPORT, "ssl/tls alert bad certificate"),
            "no TLS .*WEIR_KAFKA_SSL_CERTIFICATE_FILE",
        ),
        (
            KafkaError(KafkaError._TRANSPORT, f"{ALERTED}tlsv13 alert certificate required: SSL alert number 116"),
            "no TLS .*WEIR_KAFKA_SSL_CERTIFICATE_FILE",
        ),
        (
            KafkaError(KafkaError._TRANSPORT, f"{ALERTED}tlsv1 alert unknown ca: SSL alert number 48"),
            "no TLS .*WEIR_KAFKA_SSL_CERTIFICATE_FILE",
        ),
        (
            KafkaError(KafkaError.FENCED_INSTANCE_ID, "fenced", True),
            "this instance id: fenced .*WEIR_GROUP_INSTANCE_ID",
        ),
    ],
)
def test_a_fatal_error_is_remembered_and_told(error, says):
    heard = []
    refusal = FatalError(heard.append)
    refusal(error)
    refusal(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    with pytest.raises(Refused, match=says):
        refusal.check(WHERE)
    assert len(heard) == 2


@pytest.mark.parametrize(
    "error",
    [
        KafkaError(KafkaError._SSL, "SSL handshake failed: Disconnected"),
        KafkaError(KafkaError._TRANSPORT, "refused"),
        KafkaError(KafkaError._TRANSPORT, f"{ALERTED}tlsv1 alert internal error: SSL alert number 80"),
        KafkaError(KafkaError._ALL_BROKERS_DOWN),
    ],
)
def test_a_broker_that_restarts_is_no_refusal(error):
    refusal = FatalError()
    refusal(error)
    refusal.check(WHERE)
