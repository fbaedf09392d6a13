"""What a container app needs in a subscription, made as a provider makes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests
from azure.core.exceptions import HttpResponseError
from azure.mgmt.appcontainers.models import (
    Configuration,
    Container,
    ContainerApp,
    ContainerAppProperties,
    ContainerResources,
    EnvironmentVar,
    Ingress,
    ManagedEnvironment,
    ManagedEnvironmentProperties,
    ManagedServiceIdentity,
    RegistryCredentials,
    Scale,
    Template,
    TrafficWeight,
    UserAssignedIdentity,
    WorkloadProfile,
)

from mldeploy.image.engine import Engine
from tests.rehearsal.account import BASE, eventually
from tests.rehearsal.azure.clients import Clients
from tests.rehearsal.azure.estate import GROUP, IDENTITY, PORT, REGION, assign, push, registry_in

ENVIRONMENT, APP = "shop-env", "shop"
SAYS = (
    "import http.server as h, os, sys\n"
    "class A(h.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        if self.path == '/exit': os._exit(7)\n"
    "        self.send_response(200); self.end_headers()\n"
    "        self.wfile.write(os.environ[self.path[1:] or 'VERSION'].encode())\n"
    f"print('listening', flush=True); h.ThreadingHTTPServer(('', {PORT}), A).serve_forever()"
)
"""A server that answers with the variable VERSION, or with the one that is asked for."""


def environment(*profiles: tuple[str, str]) -> ManagedEnvironment:
    listed = [WorkloadProfile(name=name, workload_profile_type=kind) for name, kind in profiles]
    return ManagedEnvironment(location=REGION, properties=ManagedEnvironmentProperties(workload_profiles=listed))


def environment_in(azure: Clients) -> Any:
    """A new environment with the Consumption profile."""
    azure.resources.providers.register("Microsoft.App")
    providers = azure.resources.providers
    eventually(lambda: providers.get("Microsoft.App").registration_state == "Registered" or None, "the registration")
    spec = environment(("Consumption", "Consumption"))
    return azure.apps.managed_environments.begin_create_or_update(GROUP, ENVIRONMENT, spec).result()


def weights(**by_suffix: int) -> list[TrafficWeight]:
    return [TrafficWeight(revision_name=f"{APP}--{suffix}", weight=weight) for suffix, weight in by_suffix.items()]


@dataclass
class AppEstate:
    """Everything but the app. variables: of every revision."""

    azure: Clients
    environment: Any
    identity: Any
    registry: Any
    image: str
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def made(cls, azure: Clients, engine: Engine, base: str = BASE) -> AppEstate:
        registry = registry_in(azure)
        image = f"{registry.login_server}/app@{push(engine, azure, registry.login_server, base)}"
        identity = azure.identities.user_assigned_identities.create_or_update(GROUP, IDENTITY, {"location": REGION})
        made = cls(azure, environment_in(azure), identity, registry, image)
        eventually(made._let_pull, "a known identity")
        return made

    def _let_pull(self) -> Any:
        with suppress(HttpResponseError):  # the directory does not know the identity yet
            return assign(self.azure, self.registry.id, str(self.identity.principal_id))
        return None

    def app(self, suffix: str = "", traffic: Sequence[TrafficWeight] | None = None, **changed: Any) -> ContainerApp:
        """The app with a revision. changed: members of the container, scale, ingress or configuration."""
        configuration: dict[str, Any] = {
            "active_revisions_mode": "Multiple",
            "registries": [RegistryCredentials(server=self.registry.login_server, identity=self.identity.id)],
        }
        parts: dict[str, dict[str, Any]] = {
            "configuration": configuration,
            "ingress": {"external": True, "target_port": PORT, "traffic": traffic},
            "scale": {"min_replicas": 1, "max_replicas": 1},
            "container": self._container(changed.pop("version", suffix)),
        }
        for name, part in changed.items():
            parts[name].update(part)
        template = Template(
            revision_suffix=suffix or None,
            termination_grace_period_seconds=1,
            containers=[Container(**parts["container"])],
            scale=Scale(**parts["scale"]),
        )
        ingress = Ingress(**parts["ingress"])
        properties = ContainerAppProperties(
            environment_id=self.environment.id,
            configuration=Configuration(ingress=ingress, **parts["configuration"]),
            template=template,
        )
        mine = {self.identity.id: UserAssignedIdentity()}
        identity = ManagedServiceIdentity(type="UserAssigned", user_assigned_identities=mine)
        return ContainerApp(location=REGION, tags={"owner": "shop"}, identity=identity, properties=properties)

    def _container(self, version: str) -> dict[str, Any]:
        values: Mapping[str, str] = {"VERSION": version, **self.variables}
        return {
            "name": "app",
            "image": self.image,
            "command": ["python3", "-uc", SAYS],
            "env": [EnvironmentVar(name=name, value=value) for name, value in values.items()],
            "resources": ContainerResources(cpu=0.5, memory="1Gi"),
        }

    def create(self, suffix: str = "r1", **changed: Any) -> Any:
        apps = self.azure.apps.container_apps
        return apps.begin_create_or_update(GROUP, APP, self.app(suffix, **changed)).result()

    def update(self, suffix: str, traffic: Sequence[TrafficWeight] | None = None, **changed: Any) -> Any:
        return self.azure.apps.container_apps.begin_update(GROUP, APP, self.app(suffix, traffic, **changed)).result()

    def patch(self, properties: dict[str, Any]) -> Any:
        """Change the app as the SDK's models would not."""
        apps, body = self.azure.apps.container_apps, {"location": REGION, "properties": properties}
        return apps.begin_update(GROUP, APP, body).result()  # type: ignore[call-overload]  # a plain dict

    def shift(self, **by_suffix: int) -> Any:
        """Give the revisions these weights."""
        traffic = [each.as_dict() for each in weights(**by_suffix)]
        return self.patch({"configuration": {"ingress": {"traffic": traffic}}})

    def get(self, host: str, path: str = "") -> requests.Response:
        return requests.get(f"https://{host}/{path}", verify=self.azure.bundle, timeout=120, allow_redirects=False)

    def ask(self, path: str = "") -> requests.Response:
        """Ask the app."""
        return self.get(self.host, path)

    @property
    def host(self) -> str:
        app: Any = self.azure.apps.container_apps.get(GROUP, APP)
        return str(app.properties.configuration.ingress.fqdn)

    def count(self, requests_: int) -> Counter[str]:
        """Count the answers of the app."""
        host = self.host
        return Counter(self.get(host).text for _ in range(requests_))

    def revision(self, suffix: str) -> Any:
        revisions = self.azure.apps.container_apps_revisions
        return revisions.get_revision(GROUP, APP, f"{APP}--{suffix}").properties

    def replicas(self, suffix: str) -> list[Any]:
        replicas = self.azure.apps.container_apps_revision_replicas
        return list(replicas.list_replicas(GROUP, APP, f"{APP}--{suffix}").value or ())

    def scaled(self, suffix: str, count: int) -> None:
        """Wait until a revision has that many replicas."""
        eventually(lambda: len(self.replicas(suffix)) == count or None, f"{count} replicas")

    def stream(self, url: str, **query: str) -> requests.Response:
        """Read a log stream with the app's token."""
        token: Any = self.azure.apps.container_apps.get_auth_token(GROUP, APP)
        headers, query = {"Authorization": f"Bearer {token.properties.token}"}, {"follow": "false", **query}
        return requests.get(url, params=query, headers=headers, verify=self.azure.bundle, timeout=60)

    def events(self) -> str:
        """The app's system log."""
        app: Any = self.azure.apps.container_apps.get(GROUP, APP)
        return self.stream(app.properties.event_stream_endpoint, tailLines="300").text
