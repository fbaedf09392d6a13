"""Bodies of requests and representations of answers.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import yaml
from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.kubernetes.api.parameters import integer
from mldeploy.rehearsal.kubernetes.objects.errors import StatusError, bad_request, unsupported_media_type
from mldeploy.rehearsal.kubernetes.objects.types import Object

if TYPE_CHECKING:
    from mldeploy.rehearsal.kubernetes.api.request import KubernetesRequest

META = "meta.k8s.io/v1"
_KNOWN = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_FAMILIES = ("*/*", "application/*")


def parse_body(request: KubernetesRequest, http_request: Request) -> Any:
    """Parse the body of a request. Raises StatusError."""
    kind, data = http_request.mimetype, http_request.get_data()
    if "protobuf" in kind:
        raise StatusError(415, "UnsupportedMediaType", "only JSON and YAML are understood here", {})
    if kind and "json" not in kind and "yaml" not in kind:
        raise unsupported_media_type(", ".join(_KNOWN))
    repeated: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        repeated.extend(name for number, name in enumerate(names) if name in names[:number])
        return dict(pairs)

    try:
        document = yaml.safe_load(data) if "yaml" in kind else json.loads(data, object_pairs_hook=collect)
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from error
    if repeated and request.parameter("fieldValidation") == "Strict":
        raise bad_request(f'strict decoding error: duplicate field "{repeated[0]}"')
    return document


def represent(http_request: Request, document: Object) -> Response:
    """Return the document as JSON or YAML, as the request accepts it. Raises StatusError (406)."""
    accepted = [each.partition(";")[0].strip() for each in http_request.headers.get("Accept", "*/*").split(",")]
    if any(each in (_KNOWN[0], *_FAMILIES) for each in accepted):
        return Response(json.dumps(document), content_type=_KNOWN[0])
    if _KNOWN[1] in accepted:
        return Response(yaml.safe_dump(document), content_type=_KNOWN[1])
    raise StatusError(
        406, "NotAcceptable", f"406: Not Acceptable\n\nAvailable representations: {', '.join(_KNOWN)}", {}
    )


def wants_metadata(http_request: Request) -> bool:
    """Whether only the metadata of objects is requested."""
    return "as=PartialObjectMetadata" in http_request.headers.get("Accept", "")


def partial_metadata(document: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": document["metadata"]}


def paginate(request: KubernetesRequest, items: list[Object], version: int) -> tuple[list[Object], Object]:
    """Return a page of a list, and the list's metadata. Raises StatusError (400).

    https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
    """
    limit, start = integer(request, "limit"), _decode_continue(request.parameter("continue"))
    metadata: Object = {"resourceVersion": str(version)}
    if not limit or len(items) <= start + limit:
        return items[start:], metadata
    token = base64.urlsafe_b64encode(json.dumps({"v": "meta.k8s.io/v1", "start": start + limit}).encode()).decode()
    return items[start : start + limit], {
        **metadata,
        "continue": token,
        "remainingItemCount": len(items) - start - limit,
    }


def _decode_continue(token: str) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["start"])
    except (ValueError, KeyError, TypeError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
