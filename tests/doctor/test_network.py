"""What is said of the servers that a build asks, and of the ways to them."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.doctor.network import http_probe
from mldeploy.doctor.network.packages import default_index
from mldeploy.providers.capabilities import Finding, Level
from tests.doctor.fake_engine import FakeEngine
from tests.doctor.harness import Patient
from tests.doctor.servers import Authority, Proxy, Server

NOWHERE = "http://index.invalid"


def asking(patient: Patient, url: str, **build: object) -> Finding:
    """The line about the one index that both pip and uv are told to ask."""
    patient.build(args={"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}, **build)
    return patient.network()["packages"]


@pytest.fixture
def short_waits(limits: pytest.MonkeyPatch) -> None:
    """The time limits that a connection and an answer have for users."""
    limits.setattr(http_probe, "CONNECT_SECONDS", 3.0)
    limits.setattr(http_probe, "READ_SECONDS", 3.0)


@pytest.fixture
def intercepted(authority: Authority) -> Iterator[Server]:
    """An index whose certificate is signed by the company's own authority."""
    with Server(authority=authority) as server:
        yield server


def test_an_index_that_answers_is_all_right(patient: Patient, index: Server) -> None:
    result = asking(patient, f"{index.url}/simple/")
    assert result.level is Level.OK
    assert result.what == f"{index.url}/simple/ (PIP_INDEX_URL) answers"
    assert set(index.asked) == {"/simple/uv/"}


@pytest.mark.parametrize(
    ("status", "level", "output"),
    [
        (401, Level.ERROR, "requires credentials"),
        (403, Level.ERROR, "requires credentials"),
        (404, Level.ERROR, "has no package uv"),
        (503, Level.WARNING, "answers 503"),
    ],
)
def test_an_index_that_refuses_is_told(patient: Patient, index: Server, status: int, level: Level, output: str) -> None:
    index.status = status
    result = asking(patient, index.url)
    assert result.level is level
    assert output in result.what


def test_a_dockerfile_of_one_s_own_may_ask_for_something_else(patient: Patient, index: Server) -> None:
    index.status = 404
    patient.write("Dockerfile", "FROM scratch\n")
    assert asking(patient, index.url).level is Level.OK
    assert asking(patient, NOWHERE).level is Level.WARNING


def test_passwords_are_never_shown(patient: Patient, index: Server) -> None:
    url = index.url.replace("//", "//me:hunter2@")
    patient.build(args={"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url})
    report = patient.network()
    assert report["packages"].level is Level.OK
    assert "hunter2" not in str(report)


def test_a_name_that_nobody_knows(patient: Patient) -> None:
    result = asking(patient, NOWHERE)
    assert result.level is Level.ERROR
    assert result.what.endswith("its name cannot be resolved")


def test_a_port_that_nobody_listens_on(patient: Patient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert "refuses the connection" in asking(patient, f"http://127.0.0.1:{unused.getsockname()[1]}").what


@pytest.mark.usefixtures("short_waits")
def test_a_server_that_says_nothing(patient: Patient, index: Server) -> None:
    index.hangs = True
    assert "does not answer within 3 s" in asking(patient, index.url).what


@pytest.mark.usefixtures("short_waits")
def test_a_server_that_accepts_and_never_reads(patient: Patient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        result = asking(patient, f"https://127.0.0.1:{listening.getsockname()[1]}")  # the kernel accepts, nobody reads
    assert result.level is Level.WARNING
    assert "could not be checked: " in result.what


def test_a_server_without_tls_where_tls_is_meant(patient: Patient, index: Server) -> None:
    assert "does not support TLS" in asking(patient, index.url.replace("http:", "https:")).what


@pytest.mark.parametrize("url", ["index", "ftp://index.invalid/simple", "https://", "http://[oops"])
def test_what_is_no_url(patient: Patient, url: str) -> None:
    result = asking(patient, url)
    assert result.level is Level.ERROR
    assert "is not a" in result.what


@pytest.mark.usefixtures("short_waits")
def test_packets_that_are_swallowed_hold_nobody_up(patient: Patient) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        # A queue that is full makes Linux drop what wants to connect: as a firewall does.
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        result = asking(patient, f"http://127.0.0.1:{address[1]}")
        for each in waiting:
            each.close()
    assert result.level is Level.WARNING
    assert "could not be checked: does not accept the connection within 3 s" in result.what


def test_tls_that_is_intercepted_asks_for_the_company_s_certificates(
    patient: Patient, intercepted: Server, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = asking(patient, intercepted.url)
    assert unknown.level is Level.ERROR
    assert "is not trusted" in unknown.what
    assert "ca_bundle" in unknown.todo
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    known_here = asking(patient, intercepted.url)
    assert known_here.level is Level.ERROR
    assert "TLS is inspected" in known_here.what
    assert f'ca_bundle = "{authority.bundle}"' in known_here.todo
    assert asking(patient, intercepted.url, ca_bundle=str(authority.bundle)).level is Level.OK


def test_a_dockerfile_of_one_s_own_must_trust_by_itself(
    patient: Patient, intercepted: Server, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient.write("Dockerfile", "FROM scratch\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    result = asking(patient, intercepted.url, ca_bundle=str(authority.bundle))
    assert result.level is Level.WARNING
    assert f"Copy {authority.bundle} in Dockerfile" in result.todo


def test_a_bundle_of_this_machine_that_is_none_hides_no_other(
    patient: Patient, intercepted: Server, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(patient.write("ca.pem", "no certificate")))
    monkeypatch.setenv("PIP_CERT", str(authority.bundle))
    assert "this machine trusts its certificate" in asking(patient, intercepted.url).what


def test_a_certificate_for_another_name(patient: Patient, intercepted: Server, authority: Authority) -> None:
    other_name_of_this_machine = f"https://[::ffff:127.0.0.1]:{intercepted.port}"
    result = asking(patient, other_name_of_this_machine, ca_bundle=str(authority.bundle))
    assert "for another name" in result.what
    assert "ca_bundle" not in result.todo


def test_a_bundle_that_is_none_is_told(patient: Patient, intercepted: Server) -> None:
    bundle = patient.write("ca.pem", "no certificate")
    assert "certificate file is invalid" in asking(patient, intercepted.url, ca_bundle=str(bundle)).what


def docker_proxies(home: Path, **proxies: str) -> None:
    (home / ".docker" / "config.json").write_text(json.dumps({"proxies": {"default": proxies}}))


def test_a_proxy_of_this_machine_is_not_yet_one_of_builds(
    patient: Patient, index: Server, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(index) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        result = asking(patient, NOWHERE)
        assert result.level is Level.ERROR
        assert f"this machine uses the proxy {proxy.url}, but builds do not" in result.what
        assert "config.json" in result.todo
        docker_proxies(machine, httpProxy=proxy.url)
        assert asking(patient, NOWHERE).level is Level.OK
        docker_proxies(machine)
        patient.build(args={"PIP_INDEX_URL": NOWHERE, "UV_DEFAULT_INDEX": NOWHERE, "HTTP_PROXY": proxy.url})
        report = patient.network()
        assert report["packages"].level is Level.OK
        assert any(f"builds: {proxy.url}" in each.what for each in report.about("proxies"))
        assert any("is the container itself" in each.what for each in report.about("proxies"))
        assert proxy.passed


def test_tls_goes_through_a_proxy(
    patient: Patient, intercepted: Server, authority: Authority, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(intercepted, password="hunter2") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.with_password)
        docker_proxies(machine, httpsProxy=proxy.with_password)
        url = "https://index.invalid"
        assert asking(patient, url, ca_bundle=str(authority.bundle)).level is Level.OK
        report = patient.network()
        assert "hunter2" not in str(report)
        assert proxy.url in report.about("proxies")[0].what
        docker_proxies(machine, httpsProxy=proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        refused = asking(patient, url)
        assert refused.what.endswith(f"the proxy {proxy.url} requires a user and a password")
        proxy.password, proxy.refuses = "", True
        assert "refuses to connect (403)" in asking(patient, url).what


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there(
    patient: Patient, machine: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy, output in (("http://127.0.0.1:1", "refuses the connection"), ("http://p.invalid", "cannot be resolved")):
        monkeypatch.setenv(f"{scheme}_proxy", proxy)
        docker_proxies(machine, **{f"{scheme}Proxy": proxy})
        result = asking(patient, f"{scheme}://index.invalid")
        assert f"the proxy {proxy}" in result.what
        assert output in result.what


def test_what_needs_no_proxy_goes_straight(
    patient: Patient, index: Server, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    docker_proxies(machine, httpProxy="http://127.0.0.1:1", noProxy="localhost,127.0.0.1")
    assert asking(patient, index.url).level is Level.OK
    assert "but not for" in patient.network().about("proxies")[0].what


def test_the_requirements_may_name_an_index(patient: Patient, index: Server) -> None:
    patient.write("requirements.txt", f"--index-url {index.url}\n-r more.txt\nflask\n")
    patient.write("more.txt", "--extra-index-url=http://extra.invalid/simple\n")
    patient.build(args={"PIP_INDEX_URL": index.url})
    first, extra = patient.network().about("packages")
    assert (first.level, extra.level) == (Level.OK, Level.WARNING)
    assert "(more.txt)" in extra.what


def test_the_base_image_may_name_an_index(patient: Patient, index: Server, engine: FakeEngine) -> None:
    engine.has("company/python", f"PIP_INDEX_URL={index.url}", f"UV_INDEX={index.url} own={index.url}/own")
    patient.build(base_image="company/python", args={"UV_INDEX_URL": index.url})
    first, own = patient.network().about("packages")
    assert first.level is own.level is Level.OK
    assert "/own" in own.what


def test_an_index_that_only_this_machine_asks_is_told(
    patient: Patient, index: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient.build(args={"PIP_INDEX_URL": index.url, "UV_DEFAULT_INDEX": index.url})
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:hunter2@mirror.invalid/simple")
    report = patient.network()
    _, mirror = report.about("packages")
    assert mirror.level is Level.WARNING
    assert "https://mirror.invalid/simple, but builds do not" in mirror.what
    assert "hunter2" not in str(report)


def test_pip_s_own_configuration_is_read(patient: Patient, index: Server, machine: Path) -> None:
    patient.build(args={"PIP_INDEX_URL": index.url, "UV_DEFAULT_INDEX": index.url})
    (machine / ".pip").mkdir()
    (machine / ".pip" / "pip.conf").write_text("[global]\nindex-url = https://mirror.invalid/simple\n")
    assert any("mirror.invalid" in each.what for each in patient.network().about("packages"))


def test_the_default_index_is_what_pip_itself_asks() -> None:
    reported = subprocess.run(
        ["python3", "-m", "pip", "install", "--help"], check=False, capture_output=True, text=True
    )
    if reported.returncode:
        pytest.skip("there is no pip here")
    assert default_index().startswith("https://")
    assert default_index() in " ".join(reported.stdout.split())


BASE = "company/python"


def base_image(patient: Patient, index: Server, reference: str = BASE) -> dict[str, Finding]:
    patient.build(base_image=reference, args={"PIP_INDEX_URL": index.url, "UV_DEFAULT_INDEX": index.url})
    report = patient.network()
    return {each.subject: each for each in report.findings}


def test_a_base_image_that_is_there_needs_no_registry(patient: Patient, index: Server, engine: FakeEngine) -> None:
    engine.has("127.0.0.1:1/company/python")
    result = base_image(patient, index, "127.0.0.1:1/company/python")
    assert result["base image"].level is Level.OK
    assert result["registry"].level is Level.WARNING
    assert "no image from it is missing" in result["registry"].what


def test_a_base_image_that_can_be_pulled(patient: Patient, index: Server, engine: FakeEngine) -> None:
    reference = f"127.0.0.1:{index.port}/company/python"
    index.status = 401
    engine.offered[reference] = ["linux/arm64", "linux/amd64"]
    result = base_image(patient, index, reference)
    assert result["base image"].level is Level.OK
    assert "can be pulled" in result["base image"].what
    assert result["registry"].level is Level.OK
    assert "/v2/" in index.asked


def test_a_base_image_for_another_processor(patient: Patient, index: Server, engine: FakeEngine) -> None:
    engine.offered[f"{index.url[7:]}/python"] = ["linux/arm64"]
    result = base_image(patient, index, f"{index.url[7:]}/python")["base image"]
    assert result.level is Level.ERROR
    assert "is available for linux/arm64, not for linux/amd64" in result.what


@pytest.mark.parametrize(
    ("refusal", "todo"),
    [
        ('Get "https://r.invalid/v2/": dial tcp: lookup r.invalid: no such host', "its own proxies"),
        ('Get "https://r.invalid/v2/": x509: certificate signed by unknown authority', "does not trust"),
        ("denied: requested access to the resource is denied", "docker login"),
        ("manifest unknown", "Set another base image"),
        ("toomanyrequests: You have reached your pull rate limit", "to raise the limit"),
    ],
)
def test_why_the_engine_cannot_get_a_base_image(
    patient: Patient, index: Server, engine: FakeEngine, refusal: str, todo: str
) -> None:
    engine.refusal = refusal
    result = base_image(patient, index, "127.0.0.1:1/company/python")
    assert result["base image"].level is result["registry"].level is Level.ERROR
    assert todo in result["base image"].todo
    assert 'Get "' not in result["base image"].what


def test_without_an_engine_only_what_needs_none_is_said(patient: Patient, index: Server) -> None:
    result = base_image(patient, index)
    assert result.keys() == {"proxies", "packages"}


def test_a_proxy_that_speaks_socks_is_the_obstacle_and_not_the_index(
    patient: Patient, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = "socks5://127.0.0.1:1"
    monkeypatch.setenv("http_proxy", proxy)
    docker_proxies(machine, httpProxy=proxy)
    result = asking(patient, NOWHERE)
    assert f"the proxy {proxy}" in result.what  # it refuses, or where PySocks is missing nobody understands it
    assert "NO_PROXY" in result.todo
