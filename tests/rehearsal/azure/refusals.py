"""How a test learns with which status and code the SDK was refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from azure.core.exceptions import HttpResponseError


def refused(call: Callable[[], object]) -> tuple[int, str]:
    """Status and code, in whichever of Azure's two forms it is told."""
    with pytest.raises(HttpResponseError) as caught:
        call()
    response = caught.value.response
    assert response is not None
    body = json.loads(response.text())
    return int(response.status_code or 0), str(body["error"]["code"] if "error" in body else body["Code"])
