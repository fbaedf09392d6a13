"""How Azure says no. Resource Manager has one form for it, App Service another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from werkzeug.wrappers import Response

_NONE: Mapping[str, str] = MappingProxyType({})


class ArmError(Exception):
    """Raised where something is refused. Standard: Azure Resource Manager, "Error response"."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] = _NONE) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers)

    @property
    def body(self) -> Mapping[str, object]:
        """What stands in the answer."""
        return {"error": {"code": self.code, "message": self.message}}

    def response(self) -> Response:
        """The answer."""
        return Response(
            json.dumps(self.body), self.status, self.headers, content_type="application/json; charset=utf-8"
        )


class SiteError(ArmError):
    """One by App Service itself, in the form that it alone has."""

    @property
    def body(self) -> Mapping[str, object]:
        entity = {"ExtendedCode": "00000", "MessageTemplate": self.message, "Code": self.code, "Message": self.message}
        details = [{"Message": self.message}, {"Code": self.code}, {"ErrorEntity": entity}]
        return {"Code": self.code, "Message": self.message, "Target": None, "Details": details, "Innererror": None}
