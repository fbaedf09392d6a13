"""The harness of the Google Cloud tests: an app and a target on the rehearsal, deployed in this process."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import trustme

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.capabilities import Finding
from mldeploy.providers.gcp.gar import GarProvider
from mldeploy.providers.gcp.gcr import GcrProvider
from mldeploy.providers.gcp.permissions import build_role
from mldeploy.rehearsal.gcp import GcpRehearsal
from mldeploy.testing.rehearsal import RehearsalStage
from mldeploy.testing.stage import CloudT, SettingsT
from tests.gcp.others import Others
from tests.shop import RegistryProvider, RegistryShop


@dataclass
class GarHarness(RegistryShop):
    """The harness for the target `gar`."""

    provider: ClassVar[RegistryProvider] = GarProvider()
    rehearsal: GcpRehearsal

    @property
    def others(self) -> Others:
        return Others(self.rehearsal)

    def diagnose(self) -> dict[str, Finding]:
        """The findings of the doctor, by subject."""
        findings = GarProvider().diagnose(self.project, self.settings, self.endpoints)
        return {each.subject: each for each in findings}


@dataclass
class GcrHarness(RegistryShop):
    """The harness for the target `gcr`."""

    provider: ClassVar[RegistryProvider] = GcrProvider()
    rehearsal: GcpRehearsal


@dataclass(frozen=True)
class GcpStage(RehearsalStage[CloudT, SettingsT, GcpRehearsal]):
    """Google Cloud under test, as hard as it can be, for an account with what `mldeploy policy` prints.

    strangers: creates resources of others. granted: the account's permissions.
    """

    strangers: Callable[[GcpRehearsal], None]
    granted: Collection[str]

    def reset(self) -> None:
        super().reset()
        self.rehearsal.toughen()

    def add_foreign(self) -> None:
        self.strangers(self.rehearsal)
        self.rehearsal.restrict(self.granted)


def granted_by(calls: Mapping[str, tuple[str, ...]]) -> Collection[str]:
    """The permissions of the role that `mldeploy policy` prints."""
    permissions = build_role(calls)["includedPermissions"]
    assert isinstance(permissions, list)
    return [str(each) for each in permissions]


@contextmanager
def granting(endpoints: Endpoints, refused: Collection[str], folder: Path) -> Iterator[Endpoints]:
    """The endpoints with a Resource Manager that grants all permissions except `refused`."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            permissions = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["permissions"]
            body = json.dumps({"permissions": [each for each in permissions if each not in refused]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Discard the log."""

    authority = trustme.CA()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    bundle = folder / "both.pem"
    known = endpoints.ca_bundle.read_bytes() if endpoints.ca_bundle else b""
    bundle.write_bytes(known + authority.cert_pem.bytes())
    services = {**dict(endpoints.services), "resourcemanager": f"https://127.0.0.1:{server.server_port}"}
    try:
        yield replace(endpoints, ca_bundle=bundle, services=tuple(services.items()))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
