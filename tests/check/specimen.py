"""A tiny image of a test's own, made within a second, and the check of it on the real engine."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mldeploy.app.examination import SETTLE_SECONDS
from mldeploy.check.examine import check
from mldeploy.check.verdict import CheckVerdict
from mldeploy.config.secret import Secret
from mldeploy.config.settings import App, Build, Check, Project
from mldeploy.core.events import ignore
from mldeploy.core.findings import Finding, Level
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.image.engine import Engine
from mldeploy.image.image_info import find_image
from mldeploy.image.labels import APP, owner_labels
from mldeploy.image.types import BaseDigest, Image
from tests.names import app_name

SERVER = Path(__file__).parent.parent / "local" / "tiny_server.py"
BASE = "mldeploy/python:3.11-slim"
MIB = 1 << 20
LIBRARY = "class Forest:\n    def __init__(self):\n        self._sklearn_version = {version!r}\n"


def an_app(name: str, folder: Path, memory: int = 128 * MIB) -> App:
    """The settings of an app that the tiny server is."""
    return App(
        name=name,
        folder=folder,
        entry="app:app",
        port=8000,
        health="/health",
        predict="/predict_api",
        predict_table="/predict",
        models=(),
        memory=memory,
        cpus=1.0,
        workers=0,
        threads=0,
        read_only=True,
        env=(),
    )


@dataclass
class Specimen:
    """An app of which there is nothing but its image. files: by path in the image; what stands below /app is the app's.

    changes: instructions of a Dockerfile for the image (`USER 0`).
    """

    engine: Engine
    folder: Path
    name: str = field(default_factory=app_name)
    files: dict[str, bytes | str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    base: str = BASE
    command: tuple[str, ...] = ("python3", "/srv/server.py")

    def __post_init__(self) -> None:
        app = an_app(self.name, self.folder)
        build = Build(BASE, "linux/amd64", "requirements.txt", None, (), None)
        self.project = Project(app, build, Check(self._golden(1.5), 600.0))

    def app(self, **changes: object) -> None:
        """Change keys of `[app]`."""
        self.project = replace(self.project, app=replace(self.project.app, **changes))  # type: ignore[arg-type]

    def env(self, **variables: str) -> None:
        """The app's environment: it says how the server in the image behaves."""
        self.app(env=tuple(sorted((name, Secret(value)) for name, value in variables.items())))

    def within(self, seconds: float) -> None:
        self.project = replace(self.project, check=replace(self.project.check, start_timeout=seconds))

    def golden(self, prediction: float | None) -> None:
        """What the golden row says; None: there is none."""
        golden = None if prediction is None else self._golden(prediction)
        self.project = replace(self.project, check=replace(self.project.check, golden=golden))

    def own_dockerfile(self) -> None:
        """The image counts as made by a Dockerfile of the user's own."""
        self.project = replace(self.project, build=replace(self.project.build, dockerfile="Dockerfile"))

    def requires(self, text: str) -> None:
        (self.folder / "requirements.txt").write_text(text)

    def model(self, made_with: str, installed: str, path: str = "model.pkl") -> None:
        """A model of a library that calls itself scikit-learn, and that library in one version or another."""
        location = self.folder / f"library-{made_with}"
        (location / "sklearn").mkdir(parents=True)
        (location / "sklearn/__init__.py").write_text(LIBRARY.format(version=made_with))
        program = "import pickle, sys, sklearn; pickle.dump(sklearn.Forest(), sys.stdout.buffer)"
        saved = subprocess.run([sys.executable, "-c", program], cwd=location, check=True, capture_output=True).stdout
        about = f"Metadata-Version: 2.1\nName: scikit-learn\nVersion: {installed}\nLicense: BSD-3-Clause\n"
        self.files[f"app/{path}"] = saved
        self.files["app/sklearn/__init__.py"] = LIBRARY.format(version=installed)
        self.files[f"app/scikit_learn-{installed}.dist-info/METADATA"] = about
        self.app(models=(*self.project.app.models, path))

    def build(self) -> Image:
        """Commit the image rather than build it: tests that run beside each other would share the builder's cache."""
        client, labels = self.engine.client, owner_labels(self.name)
        settings = [f"CMD {json.dumps(self.command)}", "WORKDIR /app", "USER 10001"]
        settings += [*(f"LABEL {name}={labels[name]}" for name in labels), *self.changes]
        made = client.create_container(self.base, command="true")["Id"]
        try:
            client.put_archive(
                made, "/", packed({"srv/server.py": SERVER.read_bytes(), "app/.keep": b"", **self.files})
            )
            client.commit(made, self.name, "1", changes=settings)
        finally:
            client.remove_container(made)
        return self.found("1")

    def found(self, tag: str) -> Image:
        """An image of the app's that is there."""
        result = find_image(self.engine, f"{self.name}:{tag}")
        assert result
        return Image(f"{self.name}:{tag}", result.id, result.platform, result.size, ())

    def check(
        self, image: Image | None = None, withheld: tuple[str, ...] = (), settle_seconds: float = SETTLE_SECONDS
    ) -> CheckVerdict:
        """What is found, in the end; and that nothing of the check is left on the engine."""
        monitor = Monitor(Resource("checked-image", Key(self.name)), ignore, Cancel())
        base = BaseDigest(((self.base, ""),))
        verdict = check(self.engine, self.project, image or self.build(), base, monitor, withheld, settle_seconds)
        assert self.containers == []
        return verdict

    @property
    def containers(self) -> list[str]:
        """Of the app, running or not."""
        return [each["Id"] for each in self.engine.client.containers(all=True, filters={"label": f"{APP}={self.name}"})]

    def _golden(self, prediction: float) -> Path:
        file = self.folder / "golden.json"
        row = {"path": "/predict_api", "request": {"age": 42}, "expect": {"prediction": prediction}}
        file.write_text(json.dumps(row))
        return file


def packed(files: Mapping[str, bytes | str]) -> bytes:
    """A tar archive of files that everybody may read."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


def line(verdict: CheckVerdict, subject: str) -> Finding:
    """The one line about a subject."""
    (result,) = (each for each in verdict.findings if each.subject == subject)
    return result


def bad(verdict: CheckVerdict) -> dict[str, Level]:
    """What is not as it should be."""
    return {each.subject: each.level for each in verdict.findings if each.level is not Level.OK}
