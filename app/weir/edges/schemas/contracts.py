"""Contracts as this project has them, which nobody changes by registering another version under the same subject."""

from __future__ import annotations

from pathlib import Path

from weir.core.contract import Contract
from weir.core.topics import subject_of
from weir.edges.schemas import folder
from weir.edges.schemas.registry import Registry
from weir.settings import Settings


def contract_of(settings: Settings, registry: Registry, topic: str) -> Contract:
    """What this project writes to a topic and reads from it: its newest committed version, by the registry's id.

    Serializers register what they write with by themselves, so the subject's latest version is anybody's. It is taken
    only for a topic of which the project has no contract.
    Raises Unavailable; Refused when the version is not registered.
    """
    text = _committed(settings.paths.schemas_dir, settings.kafka.deployment, topic)
    subject = subject_of(topic)
    return registry.contract(subject) if text is None else registry.registered(subject, text)


def _committed(project: Path, deployment: str, topic: str) -> str | None:
    for declared in folder.topics(project, folder.services(project), deployment):
        if declared.name == topic:
            return folder.versions(project, declared.record)[-1]
    return None
