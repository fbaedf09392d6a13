"""The network between an app's containers and its proxy."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, NotFound

from mldeploy.core.errors import RefusedError
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.image.labels import owner_filter, owner_labels

NO_ADDRESSES = ("available, non-overlapping", "predefined address pools")
"""In the engine's message when it has no address range left for a network: before version 23, and since."""
ATTACHED = 403
"""The status for a container that is attached already (Docker Engine API v1.41, NetworkConnect)."""


@dataclass(frozen=True)
class AppNetwork:
    """The network of one app. Every method raises EngineError if its request fails, and may be repeated.

    On it, a container's name is the start of its id: unlike its address, that stays the same when it is restarted.
    """

    engine: Engine
    app: str

    @property
    def name(self) -> str:
        """Its name, which is the serving container's, too."""
        return f"mldeploy-{self.app}"

    @staticmethod
    def host_of(container: str) -> str:
        """Return a container's name on the network. container: its id."""
        return container[:12]

    @property
    def exists(self) -> bool:
        return bool(self._ours())

    def ensure(self) -> None:
        """Create it if it is missing. Raises RefusedError if a foreign network has its name."""
        if any(each["Name"] == self.name for each in self._ours()):
            return
        try:
            with engine_errors(f"network {self.name}"):
                if self.engine.client.networks(names=[f"^{self.name}$"]):
                    todo = "Rename or remove it, or choose another name for the app in mldeploy.toml."
                    raise RefusedError(f"network {self.name}", "uses the required name: mldeploy did not make it", todo)
                self.engine.client.create_network(self.name, driver="bridge", labels=owner_labels(self.app))
        except EngineError as error:
            if not any(words in error.what for words in NO_ADDRESSES):
                raise
            todo = "`docker network prune` removes the networks that nothing uses."
            raise EngineError(error.where, error.what, todo) from error

    def attach(self, container: str) -> None:
        """Let a container be reached on it, beside the engine's default network, on which it reaches others."""
        with engine_errors(f"network {self.name}"):
            try:
                self.engine.client.connect_container_to_network(container, self.name)
            except APIError as error:
                if error.status_code != ATTACHED:
                    raise

    def remove(self) -> bool:
        """Remove it; True if it existed. Raises EngineError if foreign containers use it."""
        found = self._ours()
        for each in found:
            try:
                with engine_errors(f"network {self.name}"), contextlib.suppress(NotFound):
                    self.engine.client.remove_network(each["Id"])
            except EngineError as error:
                raise EngineError(error.where, error.what, self._advise(each["Id"])) from error
        return bool(found)

    def _advise(self, network: str) -> str:
        """Say what to do about a network that cannot be removed. Engines rarely miscount what was on it (moby)."""
        with engine_errors(f"network {self.name}"):
            users = self.engine.client.inspect_network(network)["Containers"].values()
        if names := ", ".join(sorted(each["Name"] for each in users)):
            return f"Disconnect {names}: `docker network disconnect`."
        return "The engine counts a container on it that is gone: restart the engine, and run this again."

    def _ours(self) -> list[dict[str, Any]]:
        """By one label: older versions of Podman return nothing for two."""
        labels = owner_labels(self.app)
        with engine_errors(f"network {self.name}"):
            listed = self.engine.client.networks(filters={"label": owner_filter(self.app)["label"][:1]})
        return [each for each in listed if labels.items() <= (each["Labels"] or {}).items()]
