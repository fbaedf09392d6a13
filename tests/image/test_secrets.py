"""Passwords that a build needs: they get it its packages, and are nowhere afterwards."""

from __future__ import annotations

import io
import json
import tarfile
import uuid
from collections.abc import Iterator
from typing import IO
from urllib.parse import quote

import pytest

from mldeploy.config.secret import Secret
from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.doctor.network.packages import default_index
from mldeploy.image.builders import buildkit
from mldeploy.image.builders.build_request import BuildRequest
from mldeploy.image.builders.choice import find_client
from mldeploy.image.context import Context
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError
from tests.few import few
from tests.image.neighbours import Guarded, package_index, proxy
from tests.image.shop import Shop, write

pytestmark = pytest.mark.engine

BUILDERS = [
    "classic",
    pytest.param(
        "buildkit", marks=pytest.mark.skipif(find_client() is None, reason="no docker command drives BuildKit")
    ),
]


@pytest.fixture
def password() -> str:
    """With characters that mean something in a URL, and in a shell."""
    return f"pa/ss@w'o$rd-{uuid.uuid4().hex}"


@pytest.fixture
def private(alone: Shop, password: str) -> Iterator[Guarded]:
    write(alone.folder, {"requirements.txt": "flask==3.1.3\nsecret-sauce==1.0\n"})
    with package_index(alone.engine, default_index(), password) as index:
        yield index


@pytest.mark.parametrize("builder", few(BUILDERS, 1))
def test_an_index_and_a_proxy_with_passwords_leave_nothing(
    alone: Shop, private: Guarded, password: str, builder: str
) -> None:
    with proxy(alone.engine, f"{password}-proxy") as way:
        through = f"http://{way.credentials}@{way.address}"
        # In lower case, and in upper case: the builders know both, and so do the installers.
        args = (("HTTPS_PROXY", through), ("https_proxy", through))
        image = alone.build(alone.project(builder=builder, index=private.index(), args=args)).out
    assert alone.run(image, "python", "-c", "import secret_sauce; print('there')") == "there"
    assert "/simple/secret-sauce/" in private.asked
    assert way.asked, "the files came through the proxy"
    assert found_on_engine(alone, "secret_sauce", password) == {"secret_sauce"}
    if builder == "buildkit":
        assert found_in_cache(alone, "secret_sauce")
        assert not found_in_cache(alone, password)


def test_a_wrong_password_is_told_without_the_password(alone: Shop, private: Guarded, password: str) -> None:
    wrong = f"{password}-wrong"
    with pytest.raises(DeploymentFailedError) as caught:
        alone.build(alone.project(builder="auto", index=private.index(wrong)))
    error = caught.value.failures[0][1]
    assert isinstance(error, BuildError)
    assert "credentials" in error.todo
    text = f"{error.where}{error.what}{error.todo}{alone.events}"
    assert not [form for form in (wrong, quote(wrong, safe="")) if form in text]


def found_on_engine(shop: Shop, *words: str) -> set[str]:
    """The words that stand in the app's images: in what the engine says of them, or in a layer."""
    engine, mine = shop.engine, {"label": f"mldeploy.app={shop.name}"}
    searched = []
    for each in engine.client.images(all=True, filters=mine):
        output = [engine.client.inspect_image(each["Id"]), engine.client.history(each["Id"])]
        searched.append(json.dumps(output).encode())
    base = len(engine.client.inspect_image(shop.project().build.base_image)["RootFS"]["Layers"])
    for head in engine.client.images(filters=mine):  # the last of each stage: the others are below them
        searched += layers(engine, head["Id"])[base:]
    forms = {word: (word.encode(), quote(word, safe="").encode()) for word in words}
    return {word for word in words for text in searched if any(form in text for form in forms[word])}


def layers(engine: Engine, image: str) -> list[bytes]:
    """An image's layers, the first first, as tar archives: what is in a file stands in them as it is."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(engine.client.get_image(image)))) as archive:
        names = json.load(opened(archive, "manifest.json"))[0]["Layers"]
        return [opened(archive, name).read() for name in names]


def opened(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    assert file is not None
    return file


def found_in_cache(shop: Shop, password: str) -> bool:
    """Whether BuildKit's own cache of downloads holds the password, as a build says that looks for it."""
    recipe = (
        f"FROM {shop.project().build.base_image}\nRUN --mount=type=cache,id=mldeploy,target=/cache "
        f"--mount=type=secret,id=mldeploy,target=/sought echo {uuid.uuid4()} "
        "&& ls /cache/uv && ! grep -rqaF -f /sought /cache || exit 7\n"
    )
    forms = Secret(f"{password}\n{quote(password, safe='')}\n")
    order = BuildRequest("unused:1", Context.of("x", ()), shop.project().build.platform, {}, recipe.encode(), forms)
    chosen = find_client()
    assert chosen is not None
    try:
        made = buildkit.build(chosen, order, Monitor(Resource("image", Key("unused")), ignore, Cancel()))
    except BuildError as error:
        return error.what.startswith("ended with code 7")
    shop.engine.client.remove_image(made)
    return False
