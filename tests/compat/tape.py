"""A proxy before a stand-in that writes down every request, and the way to send the same requests again.

A request's identifiers that the platform gives out (`sg-…`, `subnet-…`, a principal's id) are others each time: those
of a recorded answer are replaced by those that the same request is answered with now.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
import trustme

from tests.compat.world import StandIn

PORT = 4577
"""Of the proxy, on the stand-in's own address, whose front door has 4566."""
READING = ("BatchCheck", "BatchGet", "Describe", "Filter", "Get", "Head", "List", "Lookup", "Simulate")
IDENTIFIER = re.compile(
    r"\b(?:(?:sg|sgr|subnet|vpc)-[0-9a-f]{8,17}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_OPENED = re.compile("@BASE64\N{LEFT CEILING}([^\N{LEFT CEILING}\N{RIGHT CEILING}]*)\N{RIGHT CEILING}")
_HEADERS = ("Content-Type", "X-Amz-Target", "Accept", "If-Match")
_SERVICE = re.compile(r"Credential=[^/]+/\d{8}/[^/]*/([^/]+)/aws4_request")
_PATIENCE = 600.0
"""Seconds that a platform may take until it answers a request as it did."""


@dataclass(frozen=True)
class Take:
    """One request, and how it was answered. service: AWS's name for whom it was signed. found: the identifiers."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str
    status: int
    service: str = ""
    found: tuple[str, ...] = ()

    @property
    def is_writing(self) -> bool:
        if not self.service:
            return (
                self.method not in ("GET", "HEAD") and "/oauth2/" not in self.path and "accessreviews" not in self.path
            )
        action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        action = action or dict(each.partition("=")[::2] for each in self.body.split("&"))["Action"]
        return not action.startswith(READING)


@dataclass
class Tape:
    """What went through the proxy, oldest first."""

    takes: list[Take] = field(default_factory=list)
    mutex: threading.Lock = field(default_factory=threading.Lock)

    def needed(self) -> list[Take]:
        """What changed something, and the first answer with each identifier that one of those needs."""
        writing = [take for take in self.takes if take.is_writing and take.status < 400]
        wanted = {name for take in writing for name in IDENTIFIER.findall(take.path + take.body)}
        kept = []
        for take in self.takes:
            if take in writing or (take.status < 400 and wanted & set(take.found)):
                kept.append(take)
                wanted -= set(take.found)
        return kept


@contextmanager
def recording(stand_in: StandIn, folder: Path) -> Iterator[Tape]:
    """Let whoever reads the stand-in's `place.json` in `folder` go through a proxy."""
    tape, path = Tape(), folder / "place.json"
    before = path.read_text(encoding="utf-8")
    host = f"{stand_in.network}.1"
    server = ThreadingHTTPServer((host, PORT), _handler(stand_in, tape))
    url = str(stand_in.place["url"])
    place = json.loads(before.replace(f"{host}:4566", f"{host}:{PORT}"))
    place["url"] = url
    if url.startswith("https:"):
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        bundle = folder / "compat.pem"
        bundle.write_bytes(Path(str(place["ca_bundle"])).read_bytes() + authority.cert_pem.bytes())
        place["ca_bundle"] = str(bundle)
    path.write_text(json.dumps(place), encoding="utf-8")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield tape
    finally:
        path.write_text(before, encoding="utf-8")
        server.shutdown()
        server.server_close()


def _handler(stand_in: StandIn, tape: Tape) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")
            }
            upstream = _connection(stand_in)
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            kept = bytearray()
            is_whole = answer.length is not None or self.command == "HEAD"
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            if not is_whole:
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while chunk := answer.read1(65536):  # a watch has no end, and each of its lines counts at once
                kept += chunk
                self.wfile.write(chunk if is_whole else b"%x\r\n%b\r\n" % (len(chunk), chunk))
            if not is_whole:
                self.wfile.write(b"0\r\n\r\n")
            upstream.close()
            self.close_connection = True
            service = _SERVICE.search(self.headers.get("Authorization", ""))
            take = Take(
                self.command,
                self.path,
                {name: self.headers[name] for name in _HEADERS if name in self.headers},
                body.decode("utf-8", "surrogateescape"),
                answer.status,
                service.group(1) if service else "",
                tuple(dict.fromkeys(IDENTIFIER.findall(kept.decode("utf-8", "replace")))),
            )
            with tape.mutex:
                tape.takes.append(take)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.forward)
    return Handler


def _connection(stand_in: StandIn) -> HTTPConnection:
    url = urlsplit(str(stand_in.place["url"]))
    if url.scheme == "http":
        return HTTPConnection(str(url.hostname), url.port, timeout=300)
    context = ssl.create_default_context(cafile=stand_in.place["ca_bundle"])
    return HTTPSConnection(str(url.hostname), url.port, timeout=300, context=context)


def frozen(stand_in: StandIn, tape: Tape) -> Any:
    """A tape as the record holds it."""
    hidden = []
    for take in tape.needed():
        body = _hide(stand_in, take.body)
        hidden.append({**json.loads(_hide(stand_in, json.dumps(asdict(take)))), "body": body})
    return hidden


def _hide(stand_in: StandIn, text: str) -> str:
    """Without the stand-in's address and credentials, also where they are written in Base64."""

    def opened(match: re.Match[str]) -> str:
        try:
            content = base64.b64decode(match.group(), validate=True).decode()
        except ValueError:
            return match.group()
        hidden = _hide(stand_in, content)
        return match.group() if hidden == content else f"@BASE64\N{LEFT CEILING}{hidden}\N{RIGHT CEILING}"

    text = _BASE64.sub(opened, text)
    for number, value in enumerate(_credentials(stand_in)):
        text = text.replace(json.dumps(value)[1:-1], f"@CREDENTIAL{number}@")
    return stand_in.hide(text.replace(f".1:{PORT}", ".1:4566"))


def _fill(stand_in: StandIn, text: str) -> str:
    """The reverse."""
    text = stand_in.fill(text)
    for number, value in enumerate(_credentials(stand_in)):
        text = text.replace(f"@CREDENTIAL{number}@", json.dumps(value)[1:-1])
    while "@BASE64" in text:  # the innermost first
        text = _OPENED.sub(lambda match: base64.b64encode(match.group(1).encode()).decode(), text)
    return text


def _credentials(stand_in: StandIn) -> list[str]:
    return [value for name, value in stand_in.place["credentials"].items() if name != "tenant_id"]


def play(stand_in: StandIn, recorded: list[dict[str, Any]], push: Mapping[str, Any] | None) -> None:
    """Send everything again. push: the image, which goes to the registry as soon as its repository can be there."""
    known: dict[str, str] = {}
    pending = push
    for each in recorded:
        body, path = _with_digest(_fill(stand_in, each["body"])), _fill(stand_in, each["path"])
        take = Take(**{**each, "path": path, "body": body, "found": tuple(each["found"])})
        if pending and pending["digest"] in take.path + take.body:
            upload(stand_in, pending)
            pending = None
        _send(stand_in, take, known)
    if pending:
        upload(stand_in, pending)


def _with_digest(body: str) -> str:
    """A Deployment carries the digest of its pod template, which names the stand-in's own registry."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    if not isinstance(document, dict) or document.get("kind") != "Deployment":
        return body
    template = json.dumps(document["spec"]["template"], sort_keys=True).encode()
    document["metadata"]["annotations"]["mldeploy.configuration"] = hashlib.sha256(template).hexdigest()[:16]
    return json.dumps(document)


def _send(stand_in: StandIn, take: Take, known: dict[str, str]) -> None:
    """Send one request until it is answered as it was, and learn the identifiers of its answer."""

    def now(value: str) -> str:
        return IDENTIFIER.sub(lambda name: known.get(name.group(), name.group()), value)

    now_take = replace(take, path=now(take.path), body=now(take.body))
    deadline = time.monotonic() + _PATIENCE
    while True:
        answer = _request(stand_in, now_take)
        found = tuple(dict.fromkeys(IDENTIFIER.findall(answer.text)))
        fits = answer.status_code < 400 and len(found) >= len(take.found)
        if fits or time.monotonic() > deadline:
            break
        time.sleep(0.2)  # the platform tells nobody when a role, a group or a name has become known
    assert fits, f"{take.method} {take.path}: {answer.status_code} {answer.text[:500]}"
    known.update(zip(take.found, found, strict=False))


def _request(stand_in: StandIn, take: Take) -> requests.Response:
    credentials = stand_in.place["credentials"]
    if take.service:
        scope = f"{credentials['aws_access_key_id']}/20260101/{stand_in.place['region']}/{take.service}/aws4_request"
        authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    else:
        authorization = f"Bearer {_token(stand_in)}"
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            take.method,
            str(stand_in.place["url"]) + take.path,
            headers={**take.headers, "Authorization": authorization},
            data=take.body.encode("utf-8", "surrogateescape"),
            verify=stand_in.place["ca_bundle"] or True,
            timeout=600,
        )


def _token(stand_in: StandIn) -> str:
    """What the stand-in's own credentials are worth."""
    credentials, url = stand_in.place["credentials"], stand_in.place["url"]
    if "token" in credentials and "registry_user" in credentials:
        return str(credentials["token"])
    if "client_secret" in credentials:
        form = {
            "grant_type": "client_credentials",
            "client_id": credentials["client_id"],
            "client_secret": credentials["client_secret"],
            "scope": "https://management.azure.com/.default",
        }
        answer = _plain(stand_in, "POST", f"{url}/{credentials['tenant_id']}/oauth2/v2.0/token", data=form)
        return str(answer.json()["access_token"])
    body = {"identifier": credentials["username"], "secret": credentials["token"]}
    return str(_plain(stand_in, "POST", f"{url}/v2/auth/token", json=body).json()["access_token"])


def _plain(stand_in: StandIn, method: str, url: str, **more: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, url, verify=stand_in.place["ca_bundle"] or True, timeout=600, **more)
    answer.raise_for_status()
    return answer


def upload(stand_in: StandIn, push: Mapping[str, Any]) -> None:
    """Bring the recorded image into the stand-in's registry. Standard: OCI Distribution 1.1."""
    host, repository = stand_in.fill(push["host"]), push["repository"]
    base = f"http://{host}/v2/{repository}"
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = _registry_authorization(stand_in, base, repository)
    for digest, content in push["blobs"].items():
        begun = session.post(f"{base}/blobs/uploads/", timeout=600)
        assert begun.status_code == 202, begun.text
        location = begun.headers["Location"]
        location = location if location.startswith("http") else f"http://{host}{location}"
        location += ("&" if "?" in location else "?") + urlencode({"digest": digest})
        done = session.put(location, data=base64.b64decode(content), timeout=600)
        assert done.status_code == 201, done.text
    done = session.put(
        f"{base}/manifests/{push['tag']}",
        data=base64.b64decode(push["manifest"]),
        headers={"Content-Type": push["type"]},
        timeout=600,
    )
    assert done.status_code == 201, done.text
    session.close()


def _registry_authorization(stand_in: StandIn, base: str, repository: str) -> str:
    credentials = stand_in.place["credentials"]
    if "registry_user" in credentials:
        return _basic(credentials["registry_user"], credentials["registry_password"])
    if "aws_access_key_id" in credentials:
        target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        answer = _request(stand_in, Take("POST", "/", headers, "{}", 200, "ecr"))
        return f"Basic {answer.json()['authorizationData'][0]['authorizationToken']}"
    if "client_secret" in credentials:
        return f"Bearer {_azure_token(base, _token(stand_in), repository)}"
    challenge = requests.get(f"{base}/tags/list", timeout=600).headers["WWW-Authenticate"]
    realm, service = (re.search(rf'{name}="([^"]*)"', challenge) for name in ("realm", "service"))
    assert realm is not None and service is not None  # noqa: PT018 - one challenge
    query = urlencode({"service": service.group(1), "scope": f"repository:{repository}:pull,push"}, quote_via=quote)
    headers = {"Authorization": _basic(credentials["username"], credentials["token"])}
    answer = _plain(stand_in, "GET", f"{realm.group(1)}?{query}", headers=headers).json()
    return f"Bearer {answer.get('token') or answer['access_token']}"


def _azure_token(base: str, entra: str, repository: str) -> str:
    """Entra's token, exchanged for one that may push. Standard: ACR, "Authenticate with an ACR access token"."""
    root, host = base.partition("/v2/")[0], base.split("/")[2]
    form = {"grant_type": "access_token", "service": host, "access_token": entra}
    refresh = requests.post(f"{root}/oauth2/exchange", data=form, timeout=600).json()["refresh_token"]
    scope = f"repository:{repository}:pull,push"
    form = {"grant_type": "refresh_token", "service": host, "scope": scope, "refresh_token": refresh}
    return str(requests.post(f"{root}/oauth2/token", data=form, timeout=600).json()["access_token"])


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
