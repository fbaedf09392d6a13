"""What Artifact Registry refuses of a repository. https://cloud.google.com/artifact-registry/docs/repositories/create-repos"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from google.cloud import artifactregistry_v1 as ar

from mldeploy.rehearsal.gcp.project import Place
from mldeploy.rehearsal.gcp.refusals import ApiError, Code

_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
OLD_NAMES: Mapping[str, str] = {"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}
"""Container Registry's host names, and where the repositories are that answer under them.

https://cloud.google.com/artifact-registry/docs/transition/gcr-repositories
"""
CONTINENTS = frozenset(OLD_NAMES.values())
_MOST_LABELS = 64
_MOST_POLICIES = 10


def check(place: Place, repository_id: str, repository: ar.Repository) -> None:
    """Raises ApiError (INVALID_ARGUMENT) for a repository that cannot be made there."""
    for what in _wrong(place, repository_id, repository):
        raise ApiError(Code.INVALID_ARGUMENT, what)


def _wrong(place: Place, repository_id: str, repository: ar.Repository) -> Iterator[str]:
    if not place.is_region and place.location not in CONTINENTS:
        yield f'Location "{place.location}" is not supported.'
    if repository_id in OLD_NAMES and OLD_NAMES[repository_id] != place.location:
        yield f"the repository {repository_id} can only be created in location {OLD_NAMES[repository_id]}"
    if repository_id not in OLD_NAMES and not _ID.fullmatch(repository_id):
        yield f'repository ID "{repository_id}" must match {_ID.pattern}'
    if repository.format_ == ar.Repository.Format.FORMAT_UNSPECIFIED:
        yield "repository format is required"
    yield from wrong_labels(repository.labels)
    yield from wrong_policies(repository.cleanup_policies)


def check_changed(repository: ar.Repository) -> None:
    """Raises ApiError for what an update must not say."""
    for what in (*wrong_labels(repository.labels), *wrong_policies(repository.cleanup_policies)):
        raise ApiError(Code.INVALID_ARGUMENT, what)


def wrong_labels(labels: Mapping[str, str]) -> Iterator[str]:
    """https://cloud.google.com/resource-manager/docs/labels-overview"""
    if len(labels) > _MOST_LABELS:
        yield f"there must be at most {_MOST_LABELS} labels"
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            yield f'label key "{key}" must match {_LABEL_KEY.pattern}'
        if not _LABEL_VALUE.fullmatch(value):
            yield f'label value "{value}" must match {_LABEL_VALUE.pattern}'


def wrong_policies(policies: Mapping[str, ar.CleanupPolicy]) -> Iterator[str]:
    """https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy"""
    if len(policies) > _MOST_POLICIES:
        yield f"there must be at most {_MOST_POLICIES} cleanup policies"
    for name, policy in policies.items():
        if policy.id != name:
            yield f'cleanup policy "{name}" must have its key as its id'
        if policy.action == ar.CleanupPolicy.Action.ACTION_UNSPECIFIED:
            yield f'cleanup policy "{name}" must have an action'
        has_condition, has_versions = "condition" in policy, "most_recent_versions" in policy
        if has_condition == has_versions:
            yield f'cleanup policy "{name}" must have either a condition or most_recent_versions'
        if has_versions and policy.action == ar.CleanupPolicy.Action.DELETE:
            yield f'cleanup policy "{name}": most_recent_versions goes with the action KEEP'
