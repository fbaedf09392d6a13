"""What is read from an image: its layers, its own Python, or that it has none."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from mldeploy.core.findings import Level
from mldeploy.image.labels import owner_labels
from tests.check.specimen import Specimen, bad, line, packed
from tests.check.test_verdict import KEY

pytestmark = pytest.mark.engine


def test_secret_that_a_later_layer_removes_is_still_in_the_image(specimen: Specimen) -> None:
    access = "key = 'AKIA" + "A" * 16 + "'\n"
    theirs = {"usr/lib/python3/dist-packages/thing/test.pem": KEY}
    specimen.files = {"app/id_rsa": KEY, "app/run.py": access, **theirs}
    first = specimen.build()
    client = specimen.engine.client
    made = client.create_container(
        first.reference, command=["sh", "-c", "rm /app/id_rsa && echo > /app/run.py"], user="0"
    )["Id"]
    client.start(made)
    assert client.wait(made)["StatusCode"] == 0
    client.commit(made, specimen.name, "2", changes=['CMD ["python3", "/srv/server.py"]', "USER 10001"])
    client.remove_container(made)
    specimen.own_dockerfile()
    verdict = specimen.check(specimen.found("2"))
    assert bad(verdict) == {"secrets": Level.ERROR}
    assert line(verdict, "secrets").what.split("\n") == [
        "app/id_rsa is by its name a file of credentials",
        "app/run.py:1 holds an AWS access key",
    ]


def test_model_is_found_wherever_a_dockerfile_has_put_it(specimen: Specimen) -> None:
    specimen.own_dockerfile()
    specimen.model(made_with="1.5.2", installed="1.5.2")
    specimen.files["srv/models/model.pkl"] = specimen.files.pop("app/model.pkl")
    specimen.app(models=("model.pkl", "other.pkl"))
    result = {each.what: each.level for each in specimen.check().findings if each.subject == "model"}
    assert result == {
        "other.pkl is not in the image's own layers": Level.WARNING,
        "srv/models/model.pkl loads, with the scikit-learn 1.5.2 that it was saved with": Level.OK,
    }


def test_image_without_a_python_says_what_could_not_be_looked_at(specimen: Specimen) -> None:
    client, labels = specimen.engine.client, owner_labels(specimen.name)
    changes = ['CMD ["/server"]', *(f"LABEL {name}={labels[name]}" for name in labels)]
    client.import_image_from_data(io.BytesIO(packed({"server": b"\x7fELF\x02nonsense"})), specimen.name, "1", changes)
    specimen.own_dockerfile()
    specimen.requires("flask\n")
    verdict = specimen.check(specimen.found("1"))
    assert bad(verdict) == {"requirements": Level.WARNING, "start": Level.ERROR}
    assert "no Python" in line(verdict, "requirements").what
    assert "the program /server" in line(verdict, "start").what


def test_image_for_another_processor_is_not_to_blame_that_it_does_not_start(specimen: Specimen) -> None:
    client = specimen.engine.client
    foreign = "arm64" if client.version()["Arch"] == "amd64" else "amd64"
    files = {"server": b"\x7fELF\x02nonsense", "app/app.py": b""}
    client.import_image_from_data(io.BytesIO(packed(files)), specimen.name, "1", ['CMD ["/server"]'])
    result = replace(specimen.found("1"), platform=f"linux/{foreign}")
    verdict = specimen.check(result)
    assert verdict.errors == ()
    assert f"this machine cannot run linux/{foreign}" in line(verdict, "start").what
    client.remove_image(f"{specimen.name}:1")
