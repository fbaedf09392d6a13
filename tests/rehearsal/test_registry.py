"""The registry is a real one: what the engine pushes to it is what ECR knows, and strangers are turned away."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator

import pytest
import requests

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.aws import Rehearsal
from tests.rehearsal.clients import Clients

pytestmark = pytest.mark.engine


@pytest.fixture
def image(engine: Engine) -> Iterator[str]:
    """An image that no other test has."""
    name = f"t{uuid.uuid4().hex[:10]}:1"
    import_image(engine, name)
    yield name
    engine.client.remove_image(name, force=True)


def import_image(engine: Engine, name: str) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        info = tarfile.TarInfo("content")
        text = name.encode()
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    engine.client.import_image_from_data(content.getvalue(), *name.split(":"))


def push(engine: Engine, image: str, repository: str, tag: str, password: str | None) -> tuple[str, str]:
    """Push, and give back the digest and the error; one of them is empty."""
    engine.client.tag(image, repository, tag)
    login = None if password is None else {"username": "AWS", "password": password}
    digest = error = ""
    for event in engine.client.push(repository, tag, auth_config=login, stream=True, decode=True):
        error = error or event.get("error", "")
        digest = digest or event.get("aux", {}).get("Digest", "")
    engine.client.remove_image(f"{repository}:{tag}")
    return digest, error


@pytest.fixture
def repository(aws: Clients) -> str:
    made = aws.ecr.create_repository(repositoryName="app", imageTagMutability="IMMUTABLE")
    return made["repository"]["repositoryUri"]


def test_what_is_pushed_is_what_ecr_knows(engine: Engine, image: str, repository: str, aws: Clients) -> None:
    digest, error = push(engine, image, repository, "v1", aws.password())
    assert error == ""
    (known,) = aws.ecr.describe_images(repositoryName="app")["imageDetails"]
    assert (known["imageDigest"], known["imageTags"]) == (digest, ["v1"])
    assert known["imageSizeInBytes"] > 0


def test_a_push_without_a_password_or_with_a_wrong_one_is_refused(
    engine: Engine, image: str, repository: str, aws: Clients
) -> None:
    assert "no basic auth credentials" in push(engine, image, repository, "v1", None)[1]
    assert "authorization token is invalid" in push(engine, image, repository, "v1", "guessed")[1]
    assert aws.ecr.describe_images(repositoryName="app")["imageDetails"] == []


def test_a_push_to_a_repository_that_does_not_exist_is_refused(engine: Engine, image: str, aws: Clients) -> None:
    repository = f"{aws.rehearsal.record.registry}/nowhere"
    assert "does not exist in the registry" in push(engine, image, repository, "v1", aws.password())[1]


def test_an_immutable_tag_keeps_its_image(engine: Engine, image: str, repository: str, aws: Clients) -> None:
    password = aws.password()
    digest, _ = push(engine, image, repository, "v1", password)
    assert push(engine, image, repository, "v1", password) == (digest, "")
    other = f"t{uuid.uuid4().hex[:10]}:1"
    import_image(engine, other)
    try:
        assert "the tag is immutable" in push(engine, other, repository, "v1", password)[1]
    finally:
        engine.client.remove_image(other, force=True)
    (known,) = aws.ecr.describe_images(repositoryName="app")["imageDetails"]
    assert known["imageDigest"] == digest


def test_an_image_that_is_deleted_cannot_be_pulled_any_more(
    engine: Engine, image: str, repository: str, aws: Clients
) -> None:
    password = aws.password()
    digest, _ = push(engine, image, repository, "v1", password)
    manifest = f"http://{aws.rehearsal.record.registry}/v2/app/manifests/{digest}"
    assert requests.head(manifest, auth=("AWS", password), timeout=120).headers["Docker-Content-Digest"] == digest
    aws.ecr.batch_delete_image(repositoryName="app", imageIds=[{"imageDigest": digest}])
    assert requests.head(manifest, auth=("AWS", password), timeout=120).status_code == 404


def test_the_transfers_are_written_down(
    engine: Engine, image: str, repository: str, aws: Clients, rehearsal: Rehearsal
) -> None:
    push(engine, image, repository, "v1", aws.password())
    assert [each.path for each in rehearsal.transfers() if each.method == "PUT"][-1] == "/v2/app/manifests/v1"


def test_a_second_repository_of_the_same_name_is_refused(repository: str, aws: Clients) -> None:
    with pytest.raises(aws.ecr.exceptions.RepositoryAlreadyExistsException):
        aws.ecr.create_repository(repositoryName="app")
    assert repository.endswith("/app")
