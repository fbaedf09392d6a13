"""TLS that the container's variables switch on: our worker does not speak it, and gunicorn's own takes over."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from tests.image.server_process import server_process


@pytest.mark.parametrize("worker", ["", "mldeploy_access_worker.WsgiWorker"])
@pytest.mark.parametrize("own", ["", "timeout = 60"])
def test_tls_is_spoken_with_and_without_a_configuration_of_the_users(tmp_path: Path, own: str, worker: str) -> None:
    authority = trustme.CA()
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    arguments = f"--certfile={certificate} --keyfile={key}"
    serving = server_process(
        tmp_path / "app", "wsgi", own=own, worker=worker, context=context, GUNICORN_CMD_ARGS=arguments
    )
    with serving as server:
        response = server.get("/here")
        assert response is not None
        assert (response.status, response.body) == (200, b'["/here", 0]')
