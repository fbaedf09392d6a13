"""The Deployment: which image runs, how large, behind which walls, and how it is asked whether it is well.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.image.recipe import USER
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.parts import cpus, metadata, size
from mldeploy.providers.kubernetes.reading import Document
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.kubernetes.types import DEPLOYMENT

CONTAINER = "app"
PORT = "http"
"""The port's name: a Service that leads to a name leads to old and new pods alike when the number changes."""
CONFIGURATION = "mldeploy.configuration"
"""An annotation: a digest of all that we say of the pods. Each of the ReplicaSets keeps that of its time."""
STARTUP_EVERY = 1
READY_EVERY = 2
ALIVE_EVERY = 10
DRAIN_SECONDS = 5
"""So long a pod that is told to stop still serves: load balancers take a moment to hear of it."""
STOP_SECONDS = 40
"""DRAIN_SECONDS, and what our server takes to finish its requests."""
HISTORY = 10
"""ReplicaSets of old versions that are kept: as far back a deployment can be rolled back."""


@dataclass(frozen=True)
class Workload:
    """What runs. image: by digest. configs, secrets: what its environment is made of. pull: the name of a Secret."""

    image: str
    replicas: int
    configs: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    pull: str = ""


def deployment(
    owner: Owner, namespace: str, project: Project, settings: InClusterSettings, workload: Workload
) -> Document:
    """The Deployment. Its name is the app's."""
    template = {"metadata": {"labels": owner.labels}, "spec": _pod(project, settings, workload)}
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:16]
    return {
        "apiVersion": DEPLOYMENT.version,
        "kind": DEPLOYMENT.kind,
        "metadata": metadata(owner, owner.app, namespace, annotations={CONFIGURATION: digest}),
        "spec": {
            "replicas": workload.replicas,
            "selector": {"matchLabels": owner.selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "progressDeadlineSeconds": settings.rollout_timeout,
            "revisionHistoryLimit": HISTORY,
            "template": template,
        },
    }


def _pod(project: Project, settings: InClusterSettings, workload: Workload) -> Document:
    writable: Document = {"volumes": [{"name": "tmp", "emptyDir": {}}]} if project.app.read_only else {}
    pull: Document = {"imagePullSecrets": [{"name": workload.pull}]} if workload.pull else {}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux", "kubernetes.io/arch": project.build.platform.split("/")[1]},
        "securityContext": {"runAsNonRoot": True, **_user(project), "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": STOP_SECONDS,
        "containers": [_container(project, settings, workload)],
        **writable,
        **pull,
    }


def _user(project: Project) -> Document:
    """That of our own recipe; a Dockerfile of the user's says its own."""
    return {} if project.build.dockerfile else {"runAsUser": USER, "runAsGroup": USER}


def _container(project: Project, settings: InClusterSettings, workload: Workload) -> Document:
    app = project.app
    # What is named later holds: PORT must tell the port, whatever the user's variables say.
    told = [{"secretRef": {"name": name}} for name in workload.secrets]
    told += [{"configMapRef": {"name": name}} for name in workload.configs]
    mounts: Document = {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]} if app.read_only else {}  # noqa: S108
    return {
        "name": CONTAINER,
        "image": workload.image,
        "ports": [{"name": PORT, "containerPort": app.port, "protocol": "TCP"}],
        "envFrom": told,
        "resources": {
            "requests": {"cpu": cpus(settings.cpu_request or app.cpus / 4), "memory": size(app.memory)},
            "limits": {"cpu": cpus(max(app.cpus, settings.cpu_request or 0)), "memory": size(app.memory)},
        },
        "startupProbe": _probe(app.health, STARTUP_EVERY, math.ceil(project.check.start_timeout / STARTUP_EVERY)),
        "readinessProbe": _probe(app.health, READY_EVERY, 3),
        "livenessProbe": _probe(app.health, ALIVE_EVERY, 6),
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": app.read_only,
            "capabilities": {"drop": ["ALL"]},
        },
        **mounts,
    }


def _probe(path: str, every: int, failures: int) -> Document:
    return {
        "httpGet": {"path": path, "port": PORT},
        "periodSeconds": every,
        "timeoutSeconds": 3,
        "failureThreshold": max(1, failures),
    }
