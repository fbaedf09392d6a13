"""Manifests of the workload: the Deployment, the trial pod, the autoscaler and the disruption budget.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.config.target import FIRST_UNPRIVILEGED_PORT
from mldeploy.image.recipe.variables import USER
from mldeploy.providers.kubernetes.api import AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET, POD
from mldeploy.providers.kubernetes.documents import Document, name_of, table, text, texts, uid_of
from mldeploy.providers.kubernetes.labels import Owner, cpu_quantity, memory_quantity, object_metadata
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.secret_store import StoredSecret

CONTAINER = "app"
PORT = "http"
"""The port's name. A Service that targets a name works for old and new pods if the port changes."""
CONFIGURATION = "mldeploy.configuration"
"""An annotation: a digest of the pod template. Each ReplicaSet keeps its own."""
STORED_VERSIONS = "mldeploy.secrets"
"""An annotation of pods: the versions of the stored secrets."""
STARTUP_EVERY = 1
READY_EVERY = 2
ALIVE_EVERY = 10
DRAIN_SECONDS = 5
"""How long a terminating pod still serves, until load balancers stop sending it traffic."""
STOP_SECONDS = 40
"""DRAIN_SECONDS, plus the time for the server to finish its requests."""
UNPRIVILEGED_PORTS = "net.ipv4.ip_unprivileged_port_start"
HISTORY = 10
"""The number of old ReplicaSets that are kept for rollbacks."""


@dataclass(frozen=True)
class Workload:
    """The variable parts of the Deployment. image: by digest. configs, secrets: names of ConfigMaps and Secrets with
    its environment. pull: the name of the pull Secret. stored: the app's secrets in the cluster.
    """

    image: str
    replicas: int
    configs: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    pull: str = ""
    stored: tuple[StoredSecret, ...] = ()


def deployment_manifest(
    owner: Owner, namespace: str, project: Project, settings: InClusterSettings, workload: Workload
) -> Document:
    """Return the Deployment, with the app's name."""
    metadata: dict[str, object] = {"labels": {**settings.labels, **owner.labels}}
    versions = {STORED_VERSIONS: format_versions(workload.stored)} if workload.stored else {}
    if annotations := {**settings.annotations, **versions}:
        metadata["annotations"] = annotations
    template = {"metadata": metadata, "spec": _pod_spec(owner, project, settings, workload)}
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:16]
    return {
        "apiVersion": DEPLOYMENT.version,
        "kind": DEPLOYMENT.kind,
        "metadata": object_metadata(
            owner,
            owner.app,
            namespace,
            labels=settings.labels,
            annotations={**settings.annotations, CONFIGURATION: digest},
        ),
        "spec": {
            "replicas": workload.replicas,
            "selector": {"matchLabels": owner.selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "progressDeadlineSeconds": settings.rollout_timeout,
            "revisionHistoryLimit": HISTORY,
            "template": template,
        },
    }


def _pod_spec(owner: Owner, project: Project, settings: InClusterSettings, workload: Workload) -> Document:
    writable: Document = {"volumes": [{"name": "tmp", "emptyDir": {}}]} if project.app.read_only else {}
    secrets = dict.fromkeys(filter(None, (workload.pull, *settings.pull_secrets)))
    pull: Document = {"imagePullSecrets": [{"name": each} for each in secrets]} if secrets else {}
    platform = {"kubernetes.io/os": "linux", "kubernetes.io/arch": project.build.platform.split("/")[1]}
    return {
        **settings.identity(),
        "enableServiceLinks": False,
        "nodeSelector": {**settings.node_labels(), **platform},
        "securityContext": {
            "runAsNonRoot": True,
            **_user_context(project),
            "seccompProfile": {"type": "RuntimeDefault"},
            **_port_context(project),
        },
        "terminationGracePeriodSeconds": STOP_SECONDS,
        "containers": [_container(project, settings, workload)],
        **writable,
        **pull,
        **settings.placement(owner.selector),
    }


def _user_context(project: Project) -> Document:
    """Return the user of mldeploy's recipe; a custom Dockerfile sets its own."""
    return {} if project.build.dockerfile else {"runAsUser": USER, "runAsGroup": USER}


def _port_context(project: Project) -> Document:
    """Permit a port below 1024 to a user that is not root. Pod Security Standards: permitted in all profiles."""
    if project.app.port >= FIRST_UNPRIVILEGED_PORT:
        return {}
    return {"sysctls": [{"name": UNPRIVILEGED_PORTS, "value": str(project.app.port)}]}


def _container(project: Project, settings: InClusterSettings, workload: Workload) -> Document:
    app = project.app
    # Later sources take precedence: the user's variables must not override PORT.
    sources = [*settings.sources(), *({"secretRef": {"name": name}} for name in workload.secrets)]
    sources += [{"configMapRef": {"name": name}} for name in workload.configs]
    mounts: Document = {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]} if app.read_only else {}  # noqa: S108
    stored: Document = {"env": [_secret_variable(each) for each in workload.stored]} if workload.stored else {}
    return {
        "name": CONTAINER,
        "image": workload.image,
        "ports": [{"name": PORT, "containerPort": app.port, "protocol": "TCP"}],
        "envFrom": sources,
        **stored,
        "resources": {
            "requests": {
                "cpu": cpu_quantity(settings.cpu_request or app.cpus / 4),
                "memory": memory_quantity(app.memory),
                **settings.gpu_amounts(),
            },
            "limits": {
                "cpu": cpu_quantity(max(app.cpus, settings.cpu_request or 0)),
                "memory": memory_quantity(app.memory),
                **settings.gpu_amounts(),
            },
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


def format_versions(stored: Iterable[StoredSecret]) -> str:
    """Return which version of each secret a pod starts with. A change of it is a difference, and rolls out."""
    return ",".join(f"{each.name}={each.version}" for each in stored)


def list_secret_differences(desired: Document, current: Document) -> tuple[str, ...]:
    """Return a line for each secret that the pods would start with in another version."""
    before, after = (_read_versions(each) for each in (current, desired))
    changes = ((name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys()))
    return tuple(
        f"secret {name} → {'changed' if old and new else 'added' if new else 'removed'}"
        for name, old, new in changes
        if old != new
    )


def _read_versions(deployment: Document) -> dict[str, str]:
    """Return the versions by name, as `format_versions` wrote them."""
    notes = texts(deployment, "spec", "template", "metadata", "annotations").get(STORED_VERSIONS, "")
    pairs = (each.partition("=") for each in notes.split(",") if each)
    return {name: version for name, _, version in pairs}


def _secret_variable(stored: StoredSecret) -> Document:
    """Return a variable from a Secret. A pod that starts after the secret was unset has no such variable."""
    name = stored.reference.partition("/")[2]
    return {"name": stored.name, "valueFrom": {"secretKeyRef": {"name": name, "key": stored.name, "optional": True}}}


def _probe(path: str, every: int, failures: int) -> Document:
    return {
        "httpGet": {"path": path, "port": PORT},
        "periodSeconds": every,
        "timeoutSeconds": 3,
        "failureThreshold": max(1, failures),
    }


def trial_pod_name(owner: Owner) -> str:
    """Return the name of the trial pod."""
    return f"{owner.app}-trial"


def trial_pod_manifest(owner: Owner, desired: Document, serving: Document, seconds: int) -> Document:
    """Return a pod with the Deployment's pod spec that gets no traffic and that no controller counts.

    desired: the manifest of the Deployment with the new version. serving: the Deployment on the server, which owns the
    pod. seconds: the pod's deadline.
    """
    template = table(desired, "spec", "template")
    labels = {key: each for key, each in texts(template, "metadata", "labels").items() if key not in owner.labels}
    notes = texts(template, "metadata", "annotations")
    annotated: Document = {"annotations": notes} if notes else {}
    return {
        "apiVersion": POD.version,
        "kind": POD.kind,
        "metadata": {
            "name": trial_pod_name(owner),
            "namespace": text(desired, "metadata", "namespace"),
            "labels": {**labels, **owner.trial_labels},
            **annotated,
            "ownerReferences": [_owner_reference(serving)],
        },
        "spec": {
            **table(template, "spec"),
            "restartPolicy": "Always",
            "activeDeadlineSeconds": seconds,
        },
    }


def _owner_reference(deployment: Document) -> Document:
    """Return an owner reference that does not block the owner's deletion, which some clusters restrict."""
    return {
        "apiVersion": DEPLOYMENT.version,
        "kind": DEPLOYMENT.kind,
        "name": name_of(deployment),
        "uid": uid_of(deployment),
    }


def autoscaler_manifest(owner: Owner, namespace: str, settings: InClusterSettings) -> Document:
    """Return the autoscaler, by CPU. https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/"""
    cpu = {"type": "Utilization", "averageUtilization": settings.target_cpu}
    return {
        "apiVersion": AUTOSCALER.version,
        "kind": AUTOSCALER.kind,
        "metadata": object_metadata(owner, owner.app, namespace, labels=settings.labels),
        "spec": {
            "scaleTargetRef": {"apiVersion": DEPLOYMENT.version, "kind": DEPLOYMENT.kind, "name": owner.app},
            "minReplicas": settings.min or 1,
            "maxReplicas": settings.max or 1,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": cpu}}],
        },
    }


def disruption_budget_manifest(owner: Owner, namespace: str, settings: InClusterSettings) -> Document:
    """Return the disruption budget: one pod at a time. https://kubernetes.io/docs/concepts/workloads/pods/disruptions/"""
    return {
        "apiVersion": DISRUPTION_BUDGET.version,
        "kind": DISRUPTION_BUDGET.kind,
        "metadata": object_metadata(owner, owner.app, namespace, labels=settings.labels),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": owner.selector}},
    }
