"""The replicas of a revision, their console logs, and the system log of the app.

Addresses, parameters and the format of the lines are those of `az containerapp logs show`.
https://learn.microsoft.com/azure/container-apps/log-streaming
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from azure.mgmt.appcontainers.models import Replica, ReplicaContainer, ReplicaProperties
from requests.exceptions import RequestException
from urllib3.util import Retry

from mldeploy.bounded_http import bounded_session, read_body
from mldeploy.core.step import Key
from mldeploy.providers.azure.account import CONNECT_SECONDS, READ_SECONDS
from mldeploy.providers.azure.cloud import enum_text
from mldeploy.providers.azure.containerapps.apps import describe_app
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.errors import ignore_not_found
from mldeploy.providers.azure.log_lines import new_lines

TAIL = 300
"""The most lines that a request may ask for."""
LOG_LIMIT = 8 << 20
LOOK_EVERY = 2.0
_RETRY = Retry(total=2, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False)
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)? ?")
_PREFACE = re.compile(r"^ ?(?:Connecting to (?:the container '|stream)|Successfully Connected to container: ')")


@dataclass(frozen=True)
class ReplicaInfo:
    """A replica with its container. stream: the address of its log. details: why its container does not run."""

    name: str
    revision: str
    created: str
    running: str
    details: str
    ready: bool
    restarts: int
    stream: str


@dataclass(frozen=True)
class SystemEvent:
    """A line of the system log. revision: empty for one of the whole app."""

    revision: str
    reason: str
    text: str


def list_replicas(cloud: ContainerAppsCloud, key: Key, revision: str) -> tuple[ReplicaInfo, ...]:
    """The replicas of a revision; empty if it is scaled to zero or does not exist. Raises SDK errors."""
    replicas = cloud.apps.container_apps_revision_replicas
    listed = ignore_not_found(partial(replicas.list_replicas, key.scope[0], key.name, revision))
    return tuple(_parse_replica(each, revision) for each in (listed.value if listed else None) or ())


def _parse_replica(existing: Replica, revision: str) -> ReplicaInfo:
    properties = existing.properties or ReplicaProperties()
    container = next(iter(properties.containers or ()), ReplicaContainer())
    return ReplicaInfo(
        name=existing.name or "",
        revision=revision,
        created=properties.created_time.isoformat() if properties.created_time else "",
        running=enum_text(container.running_state) or enum_text(properties.running_state),
        details=container.running_state_details or properties.running_state_details or "",
        ready=bool(container.ready),
        restarts=container.restart_count or 0,
        stream=container.log_stream_endpoint or "",
    )


@dataclass
class AppLogs:
    """The logs of one app: only those of replicas that exist."""

    cloud: ContainerAppsCloud
    key: Key
    _token: str = field(default="", repr=False)

    def console(self, replica: ReplicaInfo, tail: int = TAIL) -> tuple[str, ...]:
        """The last lines of a replica with their timestamps; empty if Azure does not return them now."""
        lines = self._read(replica.stream, tail)
        return tuple(line for line in lines if not _PREFACE.match(_STAMP.sub("", line)))

    def events(self, address: str) -> tuple[SystemEvent, ...]:
        """The last lines of the system log; empty if Azure does not return them now."""
        return tuple(_parse_events(self._read(address, TAIL)))

    def follow(self, tail: int, *, on: bool) -> Iterator[str]:
        """Yield the last `tail` lines (0: all) of each replica, then, if `on`, new lines. Without timestamps.

        Lines of several replicas begin with the replica's name. Replicas that are added later are followed, too.
        """
        known: dict[str, tuple[str, ...]] = {}
        is_first = True
        while True:
            replicas = self._active_replicas()
            for each in replicas:
                lines = self.console(each)
                added = lines[-tail:] if is_first else new_lines(known.get(each.name, ()), lines)
                prefix = f"{each.name}: " if len(replicas) > 1 else ""
                yield from (prefix + strip_stamp(line) for line in added)
                known[each.name] = lines or known.get(each.name, ())
            if not on:
                return
            is_first = False
            time.sleep(LOOK_EVERY)

    def _active_replicas(self) -> list[ReplicaInfo]:
        app = describe_app(self.cloud, self.key)
        active = [each for each in (app.revisions if app else ()) if each.active]
        return [replica for each in active for replica in list_replicas(self.cloud, self.key, each.name)]

    def _read(self, address: str, tail: int) -> list[str]:
        """The last lines of a log; none if it cannot be read now, as while a container starts. Raises SDK errors."""
        if not address:
            return []
        parameters = {"follow": "false", "output": "text", "tailLines": str(min(tail, TAIL))}
        account = self.cloud.account
        with bounded_session(seconds=READ_SECONDS, size=LOG_LIMIT, max_retries=_RETRY) as session:
            if account.verify:
                session.trust_env = False  # or a bundle that the environment names would be trusted instead
                session.verify = str(account.verify)
            for _ in range(2):
                session.headers["Authorization"] = f"Bearer {self._fetch_token()}"
                try:
                    response = session.get(address, params=parameters, timeout=CONNECT_SECONDS + READ_SECONDS)
                    if response.status_code == 401:
                        self._token = ""
                        continue
                    return read_body(response, LOG_LIMIT).decode(errors="replace").splitlines() if response.ok else []
                except RequestException:
                    return []
        return []

    def _fetch_token(self) -> str:
        """The token for the logs, which is not that of Resource Manager."""
        if not self._token:
            answer = self.cloud.apps.container_apps.get_auth_token(self.key.scope[0], self.key.name)
            self._token = (answer.properties.token if answer.properties else "") or ""
        return self._token


def strip_stamp(line: str) -> str:
    """The line without its timestamp."""
    return _STAMP.sub("", line)


def _parse_events(lines: Iterable[str]) -> Iterator[SystemEvent]:
    """One JSON object in each line: https://learn.microsoft.com/azure/container-apps/log-monitoring#system-logs"""
    for line in lines:
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        if isinstance(fields, Mapping):
            text = str(fields.get("Msg") or fields.get("Log") or "")
            yield SystemEvent(str(fields.get("RevisionName") or ""), str(fields.get("Reason") or ""), text)
