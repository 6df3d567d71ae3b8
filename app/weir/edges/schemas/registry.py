"""Client of a Confluent-compatible schema registry."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from weir.core.addresses import Address, authorities, is_this_machine
from weir.core.contract import Contract
from weir.core.errors import Refused, Unavailable
from weir.edges.schemas import folder as schema_folder
from weir.edges.schemas.folder import Topic
from weir.setting_groups import RegistrySettings

TIMEOUT_S: Final = 10.0
NO_CODE: Final = -1  # confluent-kafka's, for an answer that is not JSON of a registry
ANOTHERS: Final = frozenset({*range(300, 400), 400, 404, 405, 406, 410, 411, 415, 426, 501, 505})
RETRIES: Final = 2  # with full jitter under a second: a registry that restarts, not one that is gone
UNKNOWN_FOR_S: Final = 5.0  # how long "no such id" is believed; an id is registered before it is used
UNKNOWN_MAX: Final = 200  # such ids at a time; past it one is taken for unknown unasked: garbage may name
# any of 2**32 ids, and every question is a round trip on the hot path


class Registry:
    """Contracts by subject and by id. Texts of ids are kept for ever, since an id never changes its meaning.

    now: monotonic seconds, for how long a negative answer holds.
    """

    def __init__(self, settings: RegistrySettings, now: Callable[[], float] = time.monotonic) -> None:
        self._url, self._now = settings.registry_url, now
        for url in settings.registry_url.split(","):
            Address.of(
                url.strip(),
                "WEIR_REGISTRY_URL",
                example="http://HOST:8081",
                credentials="WEIR_REGISTRY_AUTH=user:password",
            )
        config: dict[str, object] = {
            "url": settings.registry_url,
            "timeout": TIMEOUT_S,
            "max.retries": RETRIES,
            "retries.wait.ms": 200,
        }
        if settings.registry_auth.get_secret_value():
            config["basic.auth.user.info"] = settings.registry_auth.get_secret_value()
        if ca_file := authorities(settings.registry_ca_file, "WEIR_REGISTRY_CA_FILE"):
            config["ssl.ca.location"] = ca_file
        try:
            self._client = _client(config, direct=is_this_machine(self._url))
        except ValueError as error:
            raise Refused(
                f"the registry's address is not one: {error}", where=self._url, remedy="set WEIR_REGISTRY_URL"
            ) from error
        self._finalizer = weakref.finalize(self, self._client.close)  # its pooled connection, should nobody close it
        self._texts: dict[int, str] = {}
        self._unknown_until: dict[int, float] = {}

    def close(self) -> None:
        """Close the connection; the registry cannot be asked any more. Also done when the object goes."""
        self._finalizer()

    def contract(self, subject: str, version: int | str = "latest") -> Contract:
        """A version of a subject. Raises Unavailable; Refused when the registry does not have it."""
        with self._asking(f"subject {subject}"):
            found = self._client.get_version(subject, "latest" if version == "latest" else int(version))
            text = _text(found.schema)
            contract = Contract(subject, int(found.version or 0), text, int(found.schema_id or 0))
        self._texts[contract.schema_id] = text
        return contract

    def versions(self, subject: str) -> Iterator[Contract]:
        """All versions of a subject, the newest first. Raises as `contract` does."""
        with self._asking(f"subject {subject}"):
            numbers = sorted(self._client.get_versions(subject), reverse=True)
        return (self.contract(subject, number) for number in numbers)

    def registered(self, subject: str, schema: str) -> Contract:
        """The version of a subject that has this text. Raises Unavailable; Refused when there is none."""
        with self._asking(f"this version of subject {subject}"):
            found = self._client.lookup_schema(subject, Schema(schema, "AVRO"))
            contract = Contract(subject, int(found.version or 0), schema, int(found.schema_id or 0))
        self._texts[contract.schema_id] = schema
        return contract

    def schema_text(self, schema_id: int) -> str | None:
        """Avro text of an id, None when there is none. Raises Unavailable.

        Kept, so it is one request an id; a "no" is believed for UNKNOWN_FOR_S.
        """
        if schema_id in self._texts:
            return self._texts[schema_id]
        now = self._now()
        if self._unknown_until and min(self._unknown_until.values()) <= now:
            self._unknown_until = {known: until for known, until in self._unknown_until.items() if until > now}
        if schema_id in self._unknown_until or len(self._unknown_until) >= UNKNOWN_MAX:
            return None
        try:
            with self._asking(f"schema id {schema_id}"):
                text = _text(self._client.get_schema(schema_id))
        except _Absent:
            self._unknown_until[schema_id] = now + UNKNOWN_FOR_S
            return None
        self._texts[schema_id] = text
        return text

    def register(self, subject: str, schema: str) -> int:
        """The id of a schema under a subject, new or not. Raises Unavailable; Refused when it is not compatible."""
        with self._asking(f"subject {subject}"):
            return int(self._client.register_schema(subject, Schema(schema, "AVRO")))

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Errors of the client and of its HTTP library, told as ours."""
        try:
            yield
        except SchemaRegistryError as error:
            if error.error_code == NO_CODE and error.http_status_code in ANOTHERS:
                raise self._another(f"HTTP status {error.http_status_code}") from error
            if error.http_status_code == HTTPStatus.NOT_FOUND:
                raise _Absent(
                    f"{what} is not in the schema registry", where=self._url, remedy="run `weir topics create`"
                ) from error
            if error.http_status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise Refused(
                    f"the schema registry does not let us ask for {what}",
                    where=self._url,
                    remedy="set WEIR_REGISTRY_AUTH",
                ) from error
            if error.http_status_code in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY):
                raise Refused(
                    f"the schema registry refuses {what}: {error.error_message}",
                    where=self._url,
                    remedy="see README.md beside the generic schemas for what a new version may change",
                ) from error
            raise Unavailable(
                f"the schema registry answers {error.http_status_code} for {what}: {error.error_message}",
                where=self._url,
                remedy="look at its log, then try again",
            ) from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:  # no JSON, or not a registry's
            raise self._another("it does not speak as one does") from error
        except httpx2.HTTPError as error:
            if isinstance(error, httpx2.RemoteProtocolError) and "disconnected" not in str(error):
                raise self._another("it does not speak HTTP") from error
            raise Unavailable(
                f"the schema registry does not answer ({type(error).__name__})",
                where=self._url,
                remedy="start it or set WEIR_REGISTRY_URL",
            ) from error

    def _another(self, why: str) -> Refused:
        what = f"what answers there is not a schema registry: {why}"
        return Refused(what, where=self._url, remedy="let WEIR_REGISTRY_URL name one with Confluent's HTTP API")


def _text(schema: Schema) -> str:
    """Raises ValueError for an answer without one."""
    if not isinstance(schema.schema_str, str):
        raise ValueError("it holds no schema")
    return schema.schema_str


def _client(config: dict[str, object], *, direct: bool) -> SchemaRegistryClient:
    """A client; direct: past the proxies that the environment names, for which it has no setting.

    Raises ValueError for an address that is none.
    """
    if not direct:
        return SchemaRegistryClient(config)
    client = SchemaRegistryClient(config | {"proxy": str(config["url"])})  # else it opens one for each that is named
    rest = client._rest_client
    rest.session.close()
    rest.session = httpx2.Client(verify=rest.verify, auth=rest.auth, timeout=rest.timeout, trust_env=False)
    return client


class _Absent(Refused):
    """The registry answered that it has no such thing."""


def publish(registry: Registry, folder: Path, topics: Sequence[Topic]) -> dict[str, int]:
    """Register every version of every topic's record, oldest first; subject -> id of its newest.

    A version that is there already keeps its id. Raises Unavailable; Refused when a record has no schema
    or a version breaks the one before it.
    """
    texts = {topic.subject: schema_folder.versions(folder, topic.record) for topic in topics}  # all, before the first
    return {subject: [registry.register(subject, text) for text in versions][-1] for subject, versions in texts.items()}
