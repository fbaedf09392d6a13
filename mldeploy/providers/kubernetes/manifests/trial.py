"""The pod in which a new version is tried, beside those that serve.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.reading import Document, name_of, table, text, uid_of
from mldeploy.providers.kubernetes.types import DEPLOYMENT, POD


def trial_name(owner: Owner) -> str:
    """The pod's: there is one at most."""
    return f"{owner.app}-trial"


def trial(owner: Owner, wanted: Document, serving: Document, seconds: int) -> Document:
    """A pod as the template would make it, that gets no traffic and is none of those that are counted.

    wanted: the manifest of the Deployment with the new version. serving: the Deployment as the server has it; the pod
    goes with it. seconds: so long it may run, should nobody be left to remove it.
    """
    return {
        "apiVersion": POD.version,
        "kind": POD.kind,
        "metadata": {
            "name": trial_name(owner),
            "namespace": text(wanted, "metadata", "namespace"),
            "labels": owner.trial_labels,
            "ownerReferences": [_reference(serving)],
        },
        "spec": {
            **table(wanted, "spec", "template", "spec"),
            "restartPolicy": "Always",
            "activeDeadlineSeconds": seconds,
        },
    }


def _reference(deployment: Document) -> Document:
    """It must not hold its owner's removal up: to ask for that is a permission of its own in some clusters."""
    return {
        "apiVersion": DEPLOYMENT.version,
        "kind": DEPLOYMENT.kind,
        "name": name_of(deployment),
        "uid": uid_of(deployment),
    }
