"""Record what users of the code as it is now have: `python -m tests.compat.record FOLDER`, e.g. `tests/compat/b16de7f`.

What is in `tests/compat/b16de7f` was recorded so at that commit, on Linux, with a Docker Engine and `docker-registry`.
The version after next that changes what it leaves behind is recorded likewise, into a folder of its own, whose `app/`
is a copy of this one's; the tests then take both over. What a record holds:

- `app/`: the app, whose image holds one program of 1.6 KB (`server.c`), so that it is the same everywhere
- `image.tar`: its image as `docker save` writes it, `image.json`: the same as the registry holds it
- `local.json`: the container as the engine describes it, journal, lock, check record, documents, files and their modes
- one file for each cloud target: the journal, what the stand-in held and its tags, the calls that changed something,
  the documents, and for all but Google's (gRPC) the requests themselves, to be sent again
  A target is left out until it is recorded. `fargate` cannot be with this app: its task definition has a health check
  that starts a shell in the container, and this image has none.
- `contracts.json`: names of commands, options, fields, codes, keys, variables, kinds, and the providers' interface
- `mldeploy.toml`: every key there is
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker

from tests.compat import contracts
from tests.compat.tape import frozen, recording
from tests.compat.world import APP, CLOUDS, REGISTRIES, StandIn, User, alone, shape

GRPC = ("gar", "gcr", "gke")
"""Targets whose calls do not all go through a proxy for HTTP."""
_UNDONE = ("Created", "Id", "State", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "GraphDriver")


def main(folder: Path, names: list[str]) -> None:
    """Record into a folder that has the app already. names: some parts alone."""
    with alone() as client, tempfile.TemporaryDirectory() as place:
        if not names or "contracts" in names:
            _write(folder, "contracts", _contracts())
            (folder / "mldeploy.toml").write_text(contracts.configuration(), encoding="utf-8")
        if not names or "local" in names:
            _write(folder, "local", _local(_user(Path(place) / "local"), client, folder))
        client.images.load((folder / "image.tar").read_bytes())  # every target gets the same image
        for target in CLOUDS:
            if not names or target in names:
                _write(folder, target, _cloud(_user(Path(place) / target), target, folder))


def _user(folder: Path) -> User:
    user = User(folder)
    folder.mkdir()
    user.write_app()
    return user


def _contracts() -> dict[str, Any]:
    return {
        "commands": contracts.commands(),
        "exit codes": contracts.exit_codes(),
        "keys": contracts.keys(contracts.configuration()),
        "variables": contracts.variables(),
        "providers": contracts.providers(),
        "interface": contracts.interface(),
    }


def _local(user: User, client: docker.DockerClient, folder: Path) -> dict[str, Any]:
    image = folder / "image.tar"
    if image.exists():  # the same image as in the other parts of the record
        client.images.load(image.read_bytes())
    documents = {"deploy": user.run("deploy"), "build": user.run("build"), "status": user.run("status")}
    documents |= {"plan": user.run("plan"), "ps": user.run("ps"), "images": user.run("images")}
    documents |= {"history": user.run("history"), "logs": user.run("logs"), "version": user.run("version")}
    documents |= {"predict": user.run("predict", "--data", "{}"), "rollback": user.run("rollback", code=2)}
    (container,) = client.containers.list(all=True, filters={"label": f"mldeploy.app={APP}"})
    described = client.api.inspect_container(str(container.id))
    loaded = client.api.inspect_image(described["Image"])
    if not image.exists():
        image.write_bytes(b"".join(client.images.get(loaded["RepoTags"][0]).save(named=True)))
    return {
        "version": documents["version"]["version"],
        "container": {key: value for key, value in described.items() if key not in _UNDONE},
        "image": {"id": loaded["Id"], "tags": loaded["RepoTags"], "labels": loaded["Config"]["Labels"]},
        "files": _files(user.state),
        "modes": _modes(user.state),
        "shapes": {name: shape(document) for name, document in documents.items()},
    }


def _files(state: Path) -> dict[str, str]:
    """Journals, locks and check records."""
    return {str(each.relative_to(state)): each.read_text() for each in sorted(state.rglob(f"{APP}/*"))}


def _modes(state: Path) -> dict[str, str]:
    return {str(each.relative_to(state)): f"{each.stat().st_mode & 0o777:o}" for each in sorted(state.rglob("*"))}


def _cloud(user: User, target: str, folder: Path) -> dict[str, Any]:
    words = ("--target", target, "--rehearse")
    user.run("status", *words)  # starts the stand-in
    stand_in = StandIn.of(user, CLOUDS[target])
    verb = "push" if target in REGISTRIES else "deploy"
    try:
        with recording(stand_in, user.state / f"rehearsal.{CLOUDS[target]}") as tape:
            documents = {verb: user.run(verb, *words)}
        calls = sorted(set(stand_in.writing()))
        contents = stand_in.look("contents")
        files = _files(user.state / f"rehearsal.{CLOUDS[target]}" / "journals")
        image = _image(user.state / f"rehearsal.{CLOUDS[target]}" / "registry")
        if not (folder / "image.json").exists():
            _write(folder, "image", {key: value for key, value in image.items() if key != "repository"})
        documents["status"] = user.run("status", *words)
        documents["history"] = user.run("history", *words) if verb == "deploy" else {}
        documents["destroy"] = user.run("destroy", "--yes", *words)
        recorded = {
            "calls": calls,
            "contents": contents,
            "files": files,
            "reference": documents[verb]["image"]["reference"],
            "url": documents[verb].get("url", ""),
            "image": {"host": stand_in.place["registry"], "repository": image["repository"]},
            "steps": [[each["kind"], each["name"]] for each in documents[verb]["steps"]],
            "removed": sorted([each["kind"], each["name"]] for each in documents["destroy"]["removed"]),
            "shapes": {name: shape(document) for name, document in documents.items()},
            "requests": [],
        }
        hidden: dict[str, Any] = json.loads(
            stand_in.hide(json.dumps(recorded).replace(".1:4577", ".1:4566").replace(".1%3A4577", ".1%3A4566"))
        )
        return hidden | {"requests": [] if target in GRPC else frozen(stand_in, tape)}
    finally:
        user.run("rehearse", "down")


def _image(registry: Path) -> dict[str, Any]:
    """What was pushed, from the files of the registry's program."""
    root = registry / "storage" / "docker" / "registry" / "v2"
    (link,) = root.glob("repositories/**/_manifests/tags/*/current/link")
    digest = link.read_text().strip()

    def blob(name: str) -> bytes:
        kind, _, value = name.partition(":")
        return (root / "blobs" / kind / value[:2] / value / "data").read_bytes()

    manifest = json.loads(blob(digest))
    names = [manifest["config"]["digest"], *(each["digest"] for each in manifest["layers"])]
    tags = link.parents[2]
    return {
        "digest": digest,
        "tag": link.parents[1].name,
        "repository": str(tags.parents[1].relative_to(root / "repositories")),
        "type": manifest["mediaType"],
        "manifest": base64.b64encode(blob(digest)).decode(),
        "blobs": {name: base64.b64encode(blob(name)).decode() for name in names},
    }


def _write(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
