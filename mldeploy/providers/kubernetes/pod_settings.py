"""The settings of a pod's labels, identity, placement and hardware, for every target in a cluster.

The syntax of names, labels and taints is Kubernetes' own:
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mldeploy.config.kinds import FieldText
from mldeploy.config.target import TargetSettings
from mldeploy.providers.kubernetes.documents import Document
from mldeploy.providers.kubernetes.labels import RESERVED_LABELS, RESERVED_PREFIX

SUBDOMAIN = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
"""A DNS subdomain, RFC 1123."""
_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:(?P<prefix>{SUBDOMAIN})/)?{_WORD}")
_TOLERATION = re.compile(
    rf"(?P<key>(?:{SUBDOMAIN}/)?{_WORD})(?P<equal>=(?P<value>(?:{_WORD})?))?"
    r"(?::(?P<effect>NoSchedule|PreferNoSchedule|NoExecute))?"
)
ANNOTATIONS_LIMIT = 256 << 10
"""Bytes of all annotations of an object. k8s.io/apimachinery, TotalAnnotationSizeLimitB."""
PREFIX_LIMIT = 253
PLATFORM_LABELS = ("kubernetes.io/os", "kubernetes.io/arch")
"""Node labels that follow from `build.platform`."""


def _is_key(text: str) -> bool:
    match = _KEY.fullmatch(text)
    return match is not None and len(match["prefix"] or "") <= PREFIX_LIMIT


def _label_key(text: str) -> str:
    if not _is_key(text):
        raise ValueError('Write "name" or "example.com/name": letters, digits, -, _ and ., at most 63 for the name.')
    if text in RESERVED_LABELS or text.startswith(RESERVED_PREFIX):
        raise ValueError("mldeploy sets this label itself.")
    return text


def _annotation_key(text: str) -> str:
    if not _is_key(text.lower()):
        raise ValueError('Write "name" or "example.com/name": letters, digits, -, _ and ., at most 63 for the name.')
    if text.startswith(RESERVED_PREFIX):
        raise ValueError("mldeploy sets this annotation itself.")
    return text


def _annotations(values: dict[str, str]) -> dict[str, str]:
    if sum(len(each.encode()) for pair in values.items() for each in pair) > ANNOTATIONS_LIMIT:
        raise ValueError(f"All annotations together may have {ANNOTATIONS_LIMIT >> 10} KiB.")
    return values


def _node_label_key(text: str) -> str:
    if text in PLATFORM_LABELS:
        raise ValueError("`platform` in [build] sets it.")
    if not _is_key(text):
        raise ValueError('Write "name" or "example.com/name".')
    return text


def _gpu_resource(text: str) -> str:
    domain = text.partition("/")[0]
    if "/" not in text or not _is_key(text) or f".{domain}".endswith(".kubernetes.io"):
        raise ValueError("An extended resource has the vendor's domain as prefix.")
    return text


def _toleration(text: str) -> str:
    if text != TOLERATE_ALL and _TOLERATION.fullmatch(text) is None:
        raise ValueError('Write it as in `kubectl taint`: "key=value:NoSchedule", "key:NoExecute", "key", or "*".')
    return text


TOLERATE_ALL = "*"
LabelValue = Annotated[str, Field(pattern=rf"^$|^{_WORD}$"), FieldText("the value of a label")]
Labels = dict[Annotated[str, AfterValidator(_label_key)], LabelValue]
Annotations = Annotated[
    dict[Annotated[str, AfterValidator(_annotation_key)], Annotated[str, FieldText("a text in quotes")]],
    AfterValidator(_annotations),
    FieldText("a table of texts"),
]
ObjectName = Annotated[str, Field(pattern=rf"^{SUBDOMAIN}$", max_length=253), FieldText("the name of an object")]


class PodSettings(TargetSettings):
    """The settings of a pod. `manifests.workload` renders them."""

    labels: Annotated[Labels, FieldText("a table of labels")] = Field(
        default={},
        description="Labels of the deployment, its pods, the service, the ingress or route, the autoscaler and the "
        "disruption budget.",
        examples=[{"team": "risk", "example.com/cost-center": "4711"}],
    )
    annotations: Annotations = Field(
        default={},
        description="Annotations of the deployment and its pods.",
        examples=[{"prometheus.io/scrape": "true"}],
    )
    service_annotations: Annotations = Field(
        default={},
        description="Annotations of the service, for the cloud's load balancer.",
        examples=[{"networking.gke.io/load-balancer-type": "Internal"}],
    )
    service_account: Annotated[
        str, Field(pattern=rf"^$|^{SUBDOMAIN}$", max_length=253), FieldText("the name of a ServiceAccount")
    ] = Field(
        "",
        description="An existing service account of the namespace for the pods. Its token is mounted if the account "
        "says so. Default: the namespace's default account, without a token.",
        examples=["insurance"],
    )
    env_secrets: list[ObjectName] = Field(
        default=[],
        description="Existing Secrets of the namespace whose keys become variables of the app. Later ones take "
        "precedence, and `app.env` over all of them. Pods that run keep the values that they started with.",
        examples=[["database"]],
    )
    env_config_maps: list[ObjectName] = Field(
        default=[],
        description="Existing ConfigMaps, as `env_secrets`. Secrets take precedence over them.",
        examples=[["features"]],
    )
    pull_secrets: list[ObjectName] = Field(
        default=[],
        description="Existing Secrets of the namespace with credentials of registries.",
        examples=[["registry"]],
    )
    gpu: int = Field(0, ge=0, le=64, description="The number of GPUs of a pod.")
    gpu_type: LabelValue = Field(
        "",
        description="The type of the GPUs. The pod runs on a node with this type: on `gke` the label "
        "`cloud.google.com/gke-accelerator`, elsewhere `nvidia.com/gpu.product` of NVIDIA's GPU feature discovery. It "
        "tolerates the taint of such nodes.",
        examples=["nvidia-l4"],
    )
    gpu_resource: Annotated[
        str,
        AfterValidator(_gpu_resource),
        FieldText('an extended resource, such as "nvidia.com/gpu"'),
    ] = Field(
        "nvidia.com/gpu",
        description="The resource that the cluster's device plugin offers for GPUs, such as `amd.com/gpu`.",
    )
    node_selector: Annotated[
        dict[Annotated[str, AfterValidator(_node_label_key)], LabelValue], FieldText("a table of labels")
    ] = Field(
        default={},
        description="Labels that a node must have to run the pods.",
        examples=[{"cloud.google.com/gke-accelerator": "nvidia-l4"}],
    )
    tolerations: list[
        Annotated[
            str,
            AfterValidator(_toleration),
            FieldText('a taint as in `kubectl taint`, such as "nvidia.com/gpu:NoSchedule"'),
        ]
    ] = Field(
        default=[],
        description='Taints of nodes that the pods tolerate, as in `kubectl taint`: "key=value:effect". Without a '
        'value or an effect: any. "*": all taints.',
        examples=[["nvidia.com/gpu:NoSchedule"]],
    )
    priority_class: Annotated[
        str, Field(pattern=rf"^$|^{SUBDOMAIN}$", max_length=253), FieldText("the name of a PriorityClass")
    ] = Field("", description="The PriorityClass of the pods. Default: the cluster's.", examples=["production"])
    spread: list[Annotated[str, AfterValidator(_node_label_key), FieldText("the key of a node label")]] = Field(
        default=[],
        description="Node labels over whose values the pods are spread evenly.",
        examples=[["topology.kubernetes.io/zone", "kubernetes.io/hostname"]],
    )
    spread_policy: Literal["prefer", "require"] = Field(
        "prefer",
        description="prefer: uneven pods run, too. require: a pod that would be uneven waits.",
    )

    def sources(self) -> Iterator[Document]:
        """Yield the existing sources of variables, the later ones with precedence."""
        yield from ({"configMapRef": {"name": each}} for each in self.env_config_maps)
        yield from ({"secretRef": {"name": each}} for each in self.env_secrets)

    @property
    def gpu_label(self) -> str:
        """The node label with the type of its GPUs, of GPU feature discovery: https://github.com/NVIDIA/k8s-device-plugin"""
        return "nvidia.com/gpu.product"

    def node_labels(self) -> dict[str, str]:
        """Return the labels that a node must have."""
        return {**({self.gpu_label: self.gpu_type} if self.gpu_type else {}), **self.node_selector}

    def gpu_amounts(self) -> dict[str, str]:
        """Return the GPUs of a pod as a resource. Its request must equal its limit, so both have it."""
        return {self.gpu_resource: str(self.gpu)} if self.gpu else {}

    def placement(self, selector: Mapping[str, str]) -> dict[str, object]:
        """Return the fields of a pod spec that choose its node. selector: the labels of the app's pods."""
        fields: dict[str, object] = {
            "tolerations": [_parse_toleration(each) for each in self._all_tolerations()],
            "priorityClassName": self.priority_class,
            "topologySpreadConstraints": [self._constraint(each, selector) for each in self.spread],
        }
        return {name: value for name, value in fields.items() if value}

    def _all_tolerations(self) -> Iterator[str]:
        yield from self.tolerations
        taint = f"{self.gpu_resource}:NoSchedule"
        if self.gpu_type and taint not in self.tolerations:
            yield taint

    def identity(self) -> dict[str, object]:
        """Return the fields of a pod spec for its service account."""
        if not self.service_account:
            return {"automountServiceAccountToken": False}
        return {"serviceAccountName": self.service_account}

    def _constraint(self, key: str, selector: Mapping[str, str]) -> Document:
        """https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/"""
        return {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "DoNotSchedule" if self.spread_policy == "require" else "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(selector)},
            "matchLabelKeys": ["pod-template-hash"],  # so that old pods do not count in a rollout
        }


def _parse_toleration(text: str) -> Document:
    """https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""
    if text == TOLERATE_ALL:
        return {"operator": "Exists"}
    match = _TOLERATION.fullmatch(text)
    if match is None:
        raise ValueError(text)  # pydantic has refused it
    effect = {"effect": match["effect"]} if match["effect"] else {}
    if match["equal"] is None:
        return {"key": match["key"], "operator": "Exists", **effect}
    return {"key": match["key"], "operator": "Equal", "value": match["value"], **effect}
