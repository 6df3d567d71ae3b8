"""Every setting: read once from the environment (prefix WEIR_), frozen, checked.

Secrets may also come from files: WEIR_SECRETS_DIR names a directory with one file per setting, as Docker and Kubernetes
mount them. What neither says a project's weir.yaml may say; where services listen, also a `weir up` that runs here.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from weir import project, running
from weir.core.errors import Refused
from weir.setting_groups import (
    PREFIX,
    ConsoleSettings,
    EmbeddedSettings,
    FeatureSettings,
    Group,
    KafkaSettings,
    MonitoringSettings,
    PathSettings,
    RecordingSettings,
    RegistrySettings,
    ScoringSettings,
    TelemetrySettings,
)

ROOT = Path(__file__).resolve().parent.parent.parent  # of a source tree: what stands beside app/
BUNDLE_MARK: Final = "bundle.yaml"  # a folder that has it is a bundle
SECRETS_DIR: Final = "WEIR_SECRETS_DIR"  # says where settings are, so it is none itself
TESTS: Final = "WEIR_TEST_"  # variables of Weir's own tests


class Settings(BaseModel):
    """Everything that differs between deployments, in groups. `load` reads it; nothing changes it."""

    model_config = ConfigDict(frozen=True)

    paths: PathSettings
    kafka: KafkaSettings
    registry: RegistrySettings
    scoring: ScoringSettings
    features: FeatureSettings
    recording: RecordingSettings
    monitoring: MonitoringSettings
    telemetry: TelemetrySettings
    embedded: EmbeddedSettings
    console: ConsoleSettings

    def having(self, **values: Any) -> Self:
        """These settings with other values, given by field name whatever their group. Raises Refused as `load` does."""
        groups = _by_group(values)
        changed = {}
        for name, chosen in groups.items():
            group = getattr(self, name)
            kept = {field: getattr(group, field) for field in type(group).model_fields}
            changed[name] = _made(type(group), kept | chosen)
        return self.model_copy(update=changed)

    def values(self) -> dict[str, Any]:
        """Every value by field name, whatever its group."""
        return {field: getattr(getattr(self, group), field) for field, group in GROUP_OF.items()}


GROUPS: Final[Mapping[str, type[Group]]] = {
    name: field.annotation for name, field in Settings.model_fields.items() if isinstance(field.annotation, type)
}
GROUP_OF: Final[Mapping[str, str]] = {field: name for name, group in GROUPS.items() for field in group.model_fields}


def variable_of(field: str) -> str:
    """The environment variable of a field.

    >>> variable_of("brokers")
    'WEIR_BROKERS'
    """
    return f"{PREFIX}{field.upper()}"


def fields() -> dict[str, FieldInfo]:
    """Every field by name, in the order of the groups."""
    return {name: GROUPS[group].model_fields[name] for name, group in GROUP_OF.items()}


def default_of(field: str) -> Any:
    """What a setting is where nobody says it."""
    return fields()[field].get_default(call_default_factory=True, validated_data={"home": project.root() / ".weir"})


def load(**values: Any) -> Settings:
    """The settings of this process. values: instead of the environment's, by field name whatever their group.

    Where nobody says an address, those of a `weir up` that runs in this home are taken.

    Raises Refused naming every variable that is unknown or has a value that cannot be, all at once.
    """
    _check_names()
    said = {**_of_project(), **values}
    groups = _by_group(said)
    faults: list[str] = []
    made: dict[str, Any] = {}
    for name, group in GROUPS.items():
        try:
            made[name] = _made(group, groups.get(name, {}))
        except Refused as error:
            faults.append(error.what)
        if name == "paths" and name in made:
            groups = _by_group({**_of_running(made[name].home, said), **said})
    faults += _absent(made.get("paths"))
    if not faults:
        faults += _disagreeing(Settings(**made))
    if faults:
        raise Refused("; ".join(faults), where=_where(), remedy=REMEDY)
    return Settings(**made)


def sources(settings: Settings) -> dict[str, str]:
    """Where each value comes from, by field name: "default", "environment", the path of a file, or "given".

    The file is one of secrets, the project's weir.yaml, or what a running `weir up` wrote; a caller of `load` or
    `having` gives the rest.
    """
    secrets, told, up = _secret_files(), project.variables(), running.read(settings.paths.home)
    set_here = {name.upper() for name in os.environ}
    found = {}
    for field, group in GROUP_OF.items():
        variable = variable_of(field)
        if field not in getattr(settings, group).model_fields_set:
            found[field] = "default"
        elif variable in set_here:
            found[field] = "environment"
        else:
            file = str(project.root() / project.FILE) if variable in told else "given"
            if file == "given" and getattr(getattr(settings, group), field) == up.get(field):
                file = str(settings.paths.home / running.FILE)
            found[field] = str(secrets.get(variable, file))
    return found


REMEDY: Final = "correct or unset them; `weir settings --wide` then shows every one, and what it means"


def _of_project() -> dict[str, Any]:
    """What the project's weir.yaml says and neither the environment nor a file of secrets does, by field name.

    Paths are relative to the project. Raises Refused for a name that is none, and for a secret.
    """
    told = project.variables()
    where, known = str(project.root() / project.FILE), {variable_of(field): field for field in GROUP_OF}
    if faults := [fault for name, value in told.items() if (fault := _unfit_for_project(name, value, known))]:
        raise Refused("; ".join(faults), where=where, remedy=REMEDY)
    said = _said_outside()
    values = {known[name]: value for name, value in told.items() if name not in said}
    return {field: _from_root(value) if _is_path(field, value) else value for field, value in values.items()}


def _of_running(home: Path, said: Mapping[str, Any]) -> dict[str, str]:
    """What a running `weir up` says, by field name; nothing where somebody else says an address."""
    elsewhere = _said_outside() | set(map(variable_of, said))
    if any(variable_of(field) in elsewhere for field in running.ADDRESSES):
        return {}
    return {field: value for field, value in running.read(home).items() if variable_of(field) not in elsewhere}


def _unfit_for_project(name: str, value: str, known: Mapping[str, str]) -> str:
    """Why a line of weir.yaml cannot stand there; "" when it can."""
    if name not in known:
        return _unknown(name, known)
    if _is_secret(known[name]) or re.search(r"://[^/@]*:[^/@]*@", value):
        return f"{name} holds a secret, and this file is for everybody: set it in the environment or a file of secrets"
    return ""


def _is_secret(field: str) -> bool:
    return isinstance(fields()[field].default, SecretStr)


def _is_path(field: str, value: str) -> bool:
    if field == "bundle":  # a folder, or the digest of a bundle, or the service that it is for
        return len(Path(value).parts) > 1 or Path(_from_root(value), BUNDLE_MARK).is_file()
    return bool(value) and (fields()[field].annotation is Path or field.endswith("_file"))


def _from_root(value: str) -> str:
    return str(project.root() / Path(value).expanduser())


def _said_outside() -> set[str]:
    """The variables, in capitals, that the environment or a file of secrets says."""
    return {name.upper() for name in os.environ} | _secret_files().keys()


def _secret_files() -> dict[str, Path]:
    """The files of WEIR_SECRETS_DIR, by name in capitals; none where it names no folder."""
    folder = Path(os.environ.get(SECRETS_DIR) or os.devnull)
    return {path.name.upper(): path for path in folder.iterdir()} if folder.is_dir() else {}


def _where() -> str:
    """Where settings come from, for a person."""
    return f"the environment, {project.root() / project.FILE}" if project.variables() else "the environment"


def _by_group(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for field, value in values.items():
        if field not in GROUP_OF:
            raise TypeError(f"there is no setting {field}")
        groups.setdefault(GROUP_OF[field], {})[field] = value
    return groups


def _made(group: type[Group], values: Mapping[str, Any]) -> Group:
    folder = os.environ.get(SECRETS_DIR)
    if folder and not Path(folder).is_dir():
        raise Refused(f"{SECRETS_DIR} names no folder: {folder}", where="the environment", remedy="correct it")
    try:
        return group(**{"_secrets_dir": folder, **values})
    except ValidationError as error:
        what = "; ".join(_worded(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False))
        raise Refused(what, where=_where(), remedy=REMEDY) from None


def _worded(place: tuple[int | str, ...], message: str) -> str:
    """A fault that pydantic found, as a clause: "WEIR_HTTP_PORT should be less than or equal to 65535"."""
    return f"{variable_of(str(place[0]))}: {message.removeprefix('Value error, ').removeprefix('Input ')}"


def _absent(paths: PathSettings | None) -> list[str]:
    """The folders of the project that are named and not there; the defaults may be missing."""
    named = paths.model_fields_set & {"schemas_dir", "feature_repo_dir"} if paths else ()
    folders = {field: getattr(paths, field) for field in sorted(named)}
    return [f"{variable_of(field)}: no folder: {folder}" for field, folder in folders.items() if not folder.is_dir()]


def _disagreeing(settings: Settings) -> list[str]:
    """Values that are good each and not together."""
    found = []
    settle_s, budget_s = settings.recording.redrive_settle_s, settings.kafka.sink_budget_s
    if settle_s < 2 * budget_s:
        found.append(
            f"WEIR_REDRIVE_SETTLE_S: should be {2 * budget_s:g} or more, twice WEIR_SINK_BUDGET_S, and is {settle_s:g}"
        )
    if settings.kafka.kafka_ssl_certificate_file and not settings.kafka.kafka_ssl_key_file:
        found.append("WEIR_KAFKA_SSL_KEY_FILE: should name the key of WEIR_KAFKA_SSL_CERTIFICATE_FILE")
    if settings.kafka.chunk_max_records > settings.kafka.inflight_max_records:
        found.append("WEIR_CHUNK_MAX_RECORDS: should be no more than WEIR_INFLIGHT_MAX_RECORDS")
    return found


def _check_names() -> None:
    """Raises Refused naming every variable that begins with WEIR_ and is no setting: a slip would go unseen."""
    known = {variable_of(field): field for field in GROUP_OF}
    places = (SECRETS_DIR, project.VARIABLE)
    said = [
        _unknown(name, known)
        for name in sorted(_said_outside())
        if name.startswith(PREFIX) and name not in known and name not in places and not name.startswith(TESTS)
    ]
    if said:
        raise Refused("; ".join(said), where="the environment", remedy=REMEDY)


def _unknown(name: str, known: Mapping[str, str]) -> str:
    nearest = difflib.get_close_matches(name, known, 1)
    return f"{name} is no setting" + (f": did you mean {nearest[0]}?" if nearest else "")
