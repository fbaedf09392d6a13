"""What the actions leave behind when they have signed in is what mldeploy's own targets find."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ci.programs import Programs

ENTER = """
from mldeploy.config.endpoints import PUBLIC
from {module}.account import authenticate
from {module}.settings import {settings}
account = authenticate("target.x", {settings}(), PUBLIC)
"""
WHO = (
    "<GetCallerIdentityResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><GetCallerIdentityResult>"
    "<Arn>arn:aws:sts::123456789012:assumed-role/mldeploy-ci-x/GitHubActions</Arn><UserId>A:G</UserId>"
    "<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
ACCOUNT = "ci-x@my-project.iam.gserviceaccount.com"
IMPERSONATE = f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
POOL = "projects/99/locations/global/workloadIdentityPools/ci-x"
JWT = "e30.eyJ0aWQiOiAidGVuYW50IiwgImFwcGlkIjogImFwcC1pZCJ9.e30"
"""Says `{"tid": "tenant", "appid": "app-id"}`."""
ANSWERS = {
    "/github": {"value": "the-job-s-own"},
    "/sts": {
        "access_token": "federated",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 3600,
    },
    IMPERSONATE: {"accessToken": "short-lived", "expireTime": "2099-01-01T00:00:00Z"},
}


class Server(http.server.ThreadingHTTPServer):
    """What GitHub, Google and AWS answer. requests: path and authorization of every request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.server.requests.append((path, self.headers.get("Authorization", "")))
        body = json.dumps(ANSWERS[path]) if path in ANSWERS else WHO
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if path in ANSWERS else "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = _answer  # noqa: N815 - names of the library's

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def entered(module: str, settings: str, show: str, **env: str) -> list[str]:
    """What a new process says of the account that it has found."""
    code = ENTER.format(module=f"mldeploy.providers.{module}", settings=settings) + f"print(*({show},), sep='\\n')"
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "AZURE_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_", "MLDEPLOY_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env={**clean, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_aws_a_session_in_the_environment(server: Server) -> None:
    account = entered(
        "aws", "EcrSettings", "account.id, account.region, account.user",
        AWS_ACCESS_KEY_ID="ASIAX", AWS_SECRET_ACCESS_KEY="y", AWS_SESSION_TOKEN="z", AWS_REGION="eu-west-1",
        AWS_DEFAULT_REGION="eu-west-1", AWS_ENDPOINT_URL_STS=server.url,
    )  # fmt: skip
    assert account == [
        "123456789012",
        "eu-west-1",
        "arn:aws:sts::123456789012:assumed-role/mldeploy-ci-x/GitHubActions",
    ]
    ((_, signed),) = server.requests
    assert "ASIAX/" in signed
    assert "x-amz-security-token" in signed


def test_google_a_file_that_names_where_the_job_s_token_is_issued(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "gha-creds-1.json"
    file.write_text(
        json.dumps(
            {
                "universe_domain": "googleapis.com",
                "type": "external_account",
                "audience": f"//iam.googleapis.com/{POOL}/providers/github",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": f"{server.url}/sts",
                "credential_source": {
                    "url": f"{server.url}/github?audience=x",
                    "headers": {"Authorization": "Bearer of-the-job"},
                    "format": {"type": "json", "subject_token_field_name": "value"},
                },
                "service_account_impersonation_url": f"{server.url}{IMPERSONATE}",
            }
        )
    )
    account = entered(
        "gcp", "GarSettings",
        "account.project, account.location, account.identity.user, account.identity.token().reveal()",
        GOOGLE_APPLICATION_CREDENTIALS=str(file), GOOGLE_CLOUD_PROJECT="my-project", GOOGLE_CLOUD_REGION="us-central1",
    )  # fmt: skip
    assert account == ["my-project", "us-central1", ACCOUNT, "short-lived"]
    assert [path for path, _ in server.requests] == ["/github", "/sts", IMPERSONATE]
    assert server.requests[0][1] == "Bearer of-the-job"


def test_azure_the_sign_in_of_az(tmp_path: Path) -> None:
    programs = Programs(tmp_path / "bin")
    token = {"accessToken": JWT, "expires_on": 4070908800, "expiresOn": "2099-01-01 00:00:00.000000"}
    programs.add("az", f"echo '{json.dumps({**token, 'tenant': 'tenant', 'tokenType': 'Bearer'})}'")
    (tmp_path / "azureProfile.json").write_text('{"subscriptions": [{"id": "sub", "isDefault": true}]}')
    account = entered(
        "azure", "AcrSettings", "account.subscription, account.tenant, account.user, account.region",
        PATH=f"{programs.folder}:{os.environ['PATH']}", AZURE_CONFIG_DIR=str(tmp_path), AZURE_LOCATION="westeurope",
    )  # fmt: skip
    assert account == ["sub", "tenant", "app-id", "westeurope"]
    assert programs.of("az account get-access-token")
