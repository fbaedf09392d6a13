"""Identity tokens of each kind of credentials, and the proxy that adds one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from google.auth import external_account
from google.auth.identity_pool import Credentials as FederatedCredentials
from google.oauth2.credentials import Credentials as UserCredentials

from mldeploy.config.secret import Secret
from mldeploy.providers.gcp.cloudrun.identity_token import fetch_identity_token
from mldeploy.providers.gcp.errors import GcpCredentialsError
from mldeploy.providers.gcp.identity import GoogleCredentials
from mldeploy.providers.header_proxy import run_header_proxy

AUDIENCE = "https://insurance-1.us-central1.run.app"


@contextmanager
def answering(document: dict[str, object]) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A server that answers each request with the document; its URL, and each request: path, Authorization, body."""
    seen: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            seen.append((self.path, self.headers.get("Authorization", ""), body))
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Discard the log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def user(token_uri: str) -> GoogleCredentials:
    """A user who has signed in with gcloud."""
    credentials = UserCredentials(
        None, refresh_token="refresh", token_uri=token_uri, client_id="gcloud", client_secret="known"
    )
    return GoogleCredentials(credentials, "", None)


def test_a_user_gets_the_token_that_comes_with_openid() -> None:
    answer = {"access_token": "a", "id_token": "the-identity-token", "expires_in": 3600, "scope": "openid"}
    with answering(answer) as (url, seen):
        assert fetch_identity_token(user(url), AUDIENCE).reveal() == "the-identity-token"
    assert "scope=openid" in seen[0][2]


def test_credentials_without_an_identity_token_say_so() -> None:
    silent = pytest.raises(GcpCredentialsError, match="give no identity token")
    with answering({"access_token": "a", "expires_in": 3600}) as (url, _), silent:
        fetch_identity_token(user(url), AUDIENCE)


def test_a_federated_identity_without_a_service_account_says_so() -> None:
    credentials = FederatedCredentials(
        audience="//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/github",
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        token_url="https://sts.googleapis.com/v1/token",
        credential_source={"file": "/nowhere"},
    )
    assert isinstance(credentials, external_account.Credentials)
    with pytest.raises(GcpCredentialsError, match="give no identity token"):
        fetch_identity_token(GoogleCredentials(credentials, "", None), AUDIENCE)


def test_the_proxy_adds_the_token_and_lets_nobody_else_use_it() -> None:
    headers = (("Authorization", Secret("Bearer the-token")),)
    with answering({"price": 1}) as (url, seen), run_header_proxy(url, None, headers) as way:
        assert requests.post(f"{way}/predict?a=b", json={"age": 40}, timeout=60).json() == {"price": 1}
        assert requests.get(f"{way}/health", timeout=60).status_code == 200
        assert requests.get(f"{way.rpartition('/')[0]}/health", timeout=60).status_code == 404
    assert [each[:2] for each in seen] == [("/predict?a=b", "Bearer the-token"), ("/health", "Bearer the-token")]
    assert json.loads(seen[0][2]) == {"age": 40}


def test_a_service_that_does_not_answer_is_a_bad_gateway() -> None:
    with run_header_proxy("http://127.0.0.1:9", None, ()) as way:
        assert requests.get(f"{way}/health", timeout=60).status_code == 502
