"""The names of images: under the host of Artifact Registry, or that of the former Container Registry."""

from __future__ import annotations

import pytest

from mldeploy.providers.gcp.repositories import ArtifactRepositoryInfo


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("us-docker.pkg.dev/my-project/gcr.io", "gcr.io/my-project"),
        ("europe-docker.pkg.dev/my-project/eu.gcr.io", "eu.gcr.io/my-project"),
        ("us-docker.pkg.dev/example.com/my-project/gcr.io", "gcr.io/example.com/my-project"),
        ("us-central1-docker.pkg.dev/my-project/insurance", "us-central1-docker.pkg.dev/my-project/insurance"),
        ("127.0.0.1:5000/my-project/gcr.io", "127.0.0.1:5000/my-project/gcr.io"),
    ],
)
def test_an_image_has_the_name_that_its_user_knows(uri: str, prefix: str) -> None:
    assert ArtifactRepositoryInfo("", uri, {}, None, True).image_prefix == prefix
