"""The container of the proxy that holds an app's port, and its routes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import cast

import mldeploy.image
import mldeploy_proxy
from mldeploy.app.container import Container
from mldeploy.app.container_spec import Body, ContainerSpec, ImageConfig, create_body
from mldeploy.app.containers import Containers
from mldeploy.config.access_keys import DIGESTS, KEY, RATE, has_our_server
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.image.engine import Engine, await_exec
from mldeploy.image.engine_lock import describe_origin
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.image.labels import PROXY
from mldeploy.providers.local.network import AppNetwork
from mldeploy.providers.local.settings import LocalSettings
from mldeploy_proxy.control import ROUTES, parse_routes

PORT = 8080
"""Where it listens, in its container."""
FOLDER, STATE = "/mldeploy", "/mldeploy/state"
USER = 65534
"""`nobody`. The root file system is writable, but not for this user, except for the folder of the routes."""
MEMORY = 512 << 20
PROCESSES = 64
ANSWER_SECONDS = 30.0
RETRY_SECONDS = 0.1
LOG_LINES = 20
_ACCESS = "MLDEPLOY_ACCESS"
"""Variable of a proxy that asks for keys. It reads none: with it, another program is another container."""


@dataclass(frozen=True)
class ProxyAccess:
    """Which keys the proxy accepts, by their digests, and where it needs none. rate: "" for no limit."""

    health: str
    digests: str
    rate: str

    @classmethod
    def of(cls, project: Project) -> ProxyAccess | None:
        """Return what the proxy of a project asks for; None if the app is public, or its own server asks."""
        app = project.app
        if app.access != KEY or has_our_server(project):
            return None
        variables = dict(app.env)
        digests, rate = (variables[name].reveal() if name in variables else "" for name in (DIGESTS, RATE))
        return cls(app.health, digests, rate)


@dataclass(frozen=True)
class ProxyContainers:
    """The containers of an app's proxy: the one that holds the port, and a new one that is to take over.

    Every method raises EngineError if its request fails.
    """

    containers: Containers
    network: AppNetwork
    access: ProxyAccess | None = None
    """What the proxy asks for; None if it passes everything on."""

    @classmethod
    def of(cls, engine: Engine, app: str, access: ProxyAccess | None = None) -> ProxyContainers:
        return cls(Containers(engine, app, PROXY), AppNetwork(engine, app), access)

    @property
    def name(self) -> str:
        return f"{self.containers.serving}-proxy"

    @property
    def next(self) -> str:
        """Name of a proxy that takes over from another one."""
        return f"{self.name}-next"

    def current(self) -> Container | None:
        """Return the proxy, running or not. Raises RefusedError if a foreign container has its name."""
        return self.containers.own(self.name)

    def create(self, name: str, spec: ContainerSpec, backend: Container | None = None) -> str:
        """Create a proxy without starting it; return its id. backend: gets the requests.

        Raises as `Containers.create` does.
        """
        self.network.ensure()
        shares = ((backend, 1),) if backend else ()
        made = self.containers.create(name, spec, _body(spec, self.network.name))
        with engine_errors(name):
            client = self.containers.engine.client
            client.put_archive(made, "/", _archive(self._routes(shares), keyed=_is_keyed(spec)))
        return made

    def route(self, proxy: str, backend: Container, *, check: bool = True) -> None:
        """Send all requests to a container from now on. Returns once it is so.

        check: only if the proxy can connect to it. Raises EngineError otherwise; then the routes stay as they are.
        """
        self.share(proxy, ((backend, 1),), check=check)

    def share(self, proxy: str, shares: Sequence[tuple[Container, int]], *, check: bool = True) -> None:
        """Divide the requests among containers by weight from now on. check: as for `route`."""
        self._tell(proxy, self._routes(shares, check=check))

    def weights(self, proxy: str) -> Mapping[str, int]:
        """Return the weight of each container that gets requests, by its name on the network.

        Read from the file of the routes, so the proxy need not run. Raises EngineError.
        """
        with engine_errors(self.name):
            chunks, _ = self.containers.engine.client.get_archive(proxy, f"{STATE}/{ROUTES}")
            packed = io.BytesIO(b"".join(chunks))
        with tarfile.open(fileobj=packed) as archive:
            file = archive.extractfile(ROUTES)
            text = file.read().decode() if file else ""
        return {host: weight for host, _, weight in parse_routes(text)}

    def drain(self, proxy: str, backend: Container, seconds: float) -> bool:
        """Wait until a container answers no request any more, at most so many seconds; True if that is so."""
        request = {"drain": self.network.host_of(backend.id), "seconds": seconds}
        return self._tell(proxy, json.dumps(request)) == 0

    def remove(self, proxy: Container | None) -> None:
        """Let a proxy finish its requests, and remove it."""
        if proxy:
            self.containers.stop(proxy)
            self.containers.remove(proxy.id)

    def _routes(self, shares: Sequence[tuple[Container, int]], *, check: bool = False) -> str:
        weights = [[self.network.host_of(each.id), each.spec.port, weight] for each, weight in shares]
        access = {"access": asdict(self.access)} if self.access else {}
        return json.dumps({"backends": weights, "check": check, **access})

    def _tell(self, proxy: str, request: str) -> int:
        """Send a request by a program in the container; return how many requests are being answered."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            status, output = self._execute(proxy, request)
            if status == 0:
                break
            container = self.containers.present(proxy)
            if not container.running or time.monotonic() > deadline:
                log = self.containers.log_tail(proxy, LOG_LINES)
                what = "\n".join((f"the proxy does not answer: {output.strip()}", *log))
                raise EngineError(container.name, what, "Run `mldeploy deploy` again.")
            time.sleep(RETRY_SECONDS)  # it is starting
        try:
            response = json.loads(output)
        except ValueError as error:
            what = f"the proxy does not take its routes: {output.strip() or 'no answer'}"
            raise EngineError(self.name, what, "Run `mldeploy deploy` again.") from error
        if "error" in response:
            todo = "Deploy again. If it fails again, a firewall may block the containers' network: restart Docker."
            raise EngineError(self.name, f"the proxy refuses its routes: {response['error']}", todo)
        return int(response["active"])

    def _execute(self, proxy: str, request: str) -> tuple[int, str]:
        client = self.containers.engine.client
        program = f"{FOLDER}/{mldeploy_proxy.__name__}/control.py"
        try:
            with engine_errors(self.name):
                made = client.exec_create(proxy, ["python3", "-I", "-S", program, STATE, request])["Id"]
                output = client.exec_start(made)
                return await_exec(client, made), output.decode(errors="replace")
        except EngineError:
            if self.containers.present(proxy).running:
                raise
            return 1, ""


def proxy_spec(project: Project, settings: LocalSettings, image: ImageConfig, host_port: int) -> ContainerSpec:
    """Return the spec of the proxy that publishes an app at a port of this machine."""
    keyed = ProxyAccess.of(project) is not None
    return ContainerSpec(
        app=project.app.name,
        image=image.reference,
        image_id=image.image_id,
        port=PORT,
        host=settings.host,
        host_port=host_port,
        memory=MEMORY,
        nano_cpus=0,
        pids_limit=PROCESSES,
        restart=settings.restart,
        stop_timeout=settings.stop_timeout,
        read_only=False,
        init=False,
        env=((_ACCESS, Secret(KEY, is_public=True)),) if keyed else (),
    )


def _is_keyed(spec: ContainerSpec) -> bool:
    """Whether the proxy asks for keys."""
    return bool(spec.env)


def is_current_proxy(actual: Container, desired: ContainerSpec) -> bool:
    """Whether a proxy need not be replaced, which takes a moment in which the port is silent.

    Its restart policy can be changed; a new base image and another stop timeout are no reason.
    """
    was = actual.spec
    same = replace(desired, restart=was.restart, image_id=was.image_id, stop_timeout=was.stop_timeout)
    return was == same and actual.fingerprint == _program_digest(keyed=_is_keyed(desired))


def public_url(container: Container, proxy: Container | None) -> str:
    """Return the URL at which a version of the app is reached, if it runs."""
    return proxy.url if proxy and not publishes_port(container) else container.url


def published_spec(spec: ContainerSpec, proxy: ContainerSpec) -> ContainerSpec:
    """Return the spec of a version of the app that publishes the proxy's port itself."""
    return replace(spec, host=proxy.host, host_port=proxy.host_port)


def publishes_port(container: Container) -> bool:
    """Whether a version of the app publishes its port itself, as mldeploy let it before there was a proxy."""
    return container.spec.host_port != 0


def _body(spec: ContainerSpec, network: str) -> Body:
    body = create_body(spec, PROXY, describe_origin())
    return {
        **body,
        "Labels": {**cast("dict[str, str]", body["Labels"]), PROXY: _program_digest(keyed=_is_keyed(spec))},
        "HostConfig": {**cast("Body", body["HostConfig"]), "NetworkMode": network},
        "Entrypoint": ["python3", "-I", "-S", FOLDER],
        "Cmd": [str(PORT), STATE],
        "User": f"{USER}:{USER}",
        "WorkingDir": "/",
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},
    }


_MAIN = """import runpy
runpy.run_module("mldeploy_proxy", run_name="__main__", alter_sys=True)
"""
_KEYED_MAIN = _MAIN.replace("mldeploy_proxy", "mldeploy_proxy.access.keyed")
_CHECK_FILES = ("mldeploy_access_keys.py", "mldeploy_access_page.py")
"""Of the server in our images."""


@cache
def _program(*, keyed: bool) -> tuple[tuple[str, bytes], ...]:
    """The files of the proxy's program, by their path below its folder. keyed: it asks for keys."""
    package = Path(mldeploy_proxy.__file__).parent
    files = [(f"{package.name}/{file.name}", file.read_bytes()) for file in sorted(package.glob("*.py"))]
    if not keyed:
        return (("__main__.py", _MAIN.encode()), *files)
    image = Path(mldeploy.image.__file__).parent / "server"
    files += [(f"{package.name}/access/{file.name}", file.read_bytes()) for file in sorted(package.glob("access/*.py"))]
    files += [(name, (image / name).read_bytes()) for name in _CHECK_FILES]
    return (("__main__.py", _KEYED_MAIN.encode()), *files)


@cache
def _program_digest(*, keyed: bool) -> str:
    return hashlib.sha256(repr(_program(keyed=keyed)).encode()).hexdigest()


def _archive(routes: str, *, keyed: bool) -> bytes:
    """The program and the routes, as the engine unpacks them at `/`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        _add(archive, STATE, None, owner=USER)
        for name, content in _program(keyed=keyed):
            _add(archive, f"{FOLDER}/{name}", content)
        _add(archive, f"{STATE}/{ROUTES}", routes.encode(), owner=USER)
    return packed.getvalue()


def _add(archive: tarfile.TarFile, path: str, content: bytes | None, owner: int = 0) -> None:
    """Add a file, or a folder if there is no content."""
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.uid = entry.gid = owner
    if content is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(entry)
    else:
        entry.size, entry.mode = len(content), 0o644
        archive.addfile(entry, io.BytesIO(content))
