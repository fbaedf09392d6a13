"""A server that is reached at another address than the name that its certificate is for, as behind a load balancer."""

from __future__ import annotations

import pytest

from mldeploy.app.client import AppClient, NoAnswer, NoAnswerError
from tests.doctor.servers import Authority, Server


def test_the_certificate_must_be_for_the_name_and_not_for_the_address(authority: Authority) -> None:
    with Server(authority) as server:
        with AppClient(server.url, authority.bundle, host="index.invalid") as client:
            client.health("/health")
        with (
            AppClient(server.url, authority.bundle, host="another.invalid") as client,
            pytest.raises(NoAnswerError) as refused,
        ):
            client.health("/health")
    assert refused.value.silence is NoAnswer.UNTRUSTED
