"""What a Pod's containers mount: Secrets, ConfigMaps, empty folders.

https://kubernetes.io/docs/concepts/storage/volumes/
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mldeploy.rehearsal.containers.host import Mount
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object

_MODE, _OPEN = 0o644, 0o1777


class MountError(Exception):
    """A volume cannot be had yet; the text is what an event says."""


@dataclass(frozen=True)
class Mounted:
    """For one container. memory: folders that are in memory, for it alone. places: those of this machine."""

    memory: tuple[str, ...] = ()
    places: tuple[Mount, ...] = ()


class Volumes:
    """A Pod's. folder: where they are on this machine; it is made when it is needed, and goes with `remove`."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def mounted(self, pod: Object, container: Object) -> Mounted:
        """What a container sees of them; files are written as the objects are now. Raises MountError."""
        volumes = {each["name"]: each for each in pod["spec"].get("volumes") or ()}
        memory, places = [], []
        for mount in container.get("volumeMounts") or ():
            volume, target = volumes[mount["name"]], mount["mountPath"]
            if "emptyDir" in volume and not _is_shared(pod, mount["name"]):
                memory.append(target)
                continue
            source = self._folder / mount["name"]
            if "emptyDir" in volume:
                _make(source, _OPEN)
            elif not self._filled(pod, volume, source):
                continue
            places.append(Mount(source / mount.get("subPath", ""), target, "emptyDir" in volume))
        return Mounted(tuple(memory), tuple(places))

    def remove(self) -> None:
        """What a container has written under another user's name may stay until the rehearsal's folder goes."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _filled(self, pod: Object, volume: Object, folder: Path) -> bool:
        """Whether there is something of this kind to mount."""
        sources = (volume.get("projected") or {}).get("sources") or [volume]
        files = [each for source in sources for each in self._files(pod, volume["name"], source)]
        if not any(kind in source for source in sources for kind in ("secret", "configMap")):
            return False
        _make(folder, 0o755)
        for path, content, mode in files:
            file = folder / path
            _make(file.parent, 0o755)
            file.write_bytes(content)
            file.chmod(mode)
        return True

    def _files(self, pod: Object, volume: str, source: Object) -> Iterator[tuple[str, bytes, int]]:
        for kind, resource in (("secret", kinds.SECRETS), ("configMap", kinds.CONFIG_MAPS)):
            if kind not in source:
                continue
            said = source[kind]
            name, mode = said.get("secretName") or said.get("name", ""), said.get("defaultMode", _MODE)
            found = self._store.get(Key(resource, pod["metadata"]["namespace"], name))
            if found is None and not said.get("optional"):
                what = f'{resource.kind.lower()} "{name}" not found'
                raise MountError(f'MountVolume.SetUp failed for volume "{volume}" : {what}')
            content = _content(found or {})
            items = said.get("items") or [{"key": key, "path": key} for key in content]
            for item in items:
                if item["key"] not in content:
                    what = f"references non-existent {kind} key: {item['key']}"
                    raise MountError(f'MountVolume.SetUp failed for volume "{volume}" : {what}')
                yield item["path"], content[item["key"]], item.get("mode", mode)


def _content(document: Object) -> Mapping[str, bytes]:
    coded = {name: base64.b64decode(value) for name, value in (document.get("binaryData") or {}).items()}
    data = (document.get("data") or {}).items()
    if document.get("kind") == "Secret":
        return {name: base64.b64decode(value) for name, value in data}
    return {**coded, **{name: value.encode() for name, value in data}}


def _is_shared(pod: Object, name: str) -> bool:
    every = (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
    return sum(any(mount["name"] == name for mount in each.get("volumeMounts") or ()) for each in every) > 1


def _make(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(mode)
