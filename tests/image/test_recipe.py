"""The recipe as it is rendered. `python -m tests.image.test_recipe` writes the golden files after a wanted change."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from mldeploy.image.builders.choice import Builder
from mldeploy.image.recipe.render import render_dockerfile
from mldeploy.image.recipe.variables import TEMPLATE, Pins, Recipe
from mldeploy.project.detect.starts.dockerfile import parse_instructions
from tests.image.shop import project

GOLDEN = Path(__file__).with_name("golden")
USUAL = Recipe(
    app="insurance",
    base_image="python:3.11-slim-bookworm",
    requirements="requirements.txt",
    args=(),
    trusted=False,
    writable=False,
    interface="wsgi",
    command=("gunicorn", "--config=/venv/gunicorn_conf.py", "app:app"),
    folder="/app",
    port=5000,
    health="/health",
    workers=1,
    threads=4,
    pins=Pins(uv="1.0", gunicorn="2.0", dumb_init="3.0", uvicorn="4.0", uvicorn_worker="5.0"),
)
HOW = ("trusted", "secret")
"""What decides how it is built, but not what."""
RECIPES = {
    "usual": USUAL,
    "unusual": Recipe(
        app="shop",
        base_image="localhost:5000/own/python@sha256:" + "0" * 64,
        requirements="deploy/what is needed.txt",
        args=("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        trusted=True,
        writable=True,
        interface="asgi",
        command=("gunicorn", "--worker-class=mldeploy_asgi.AsgiWorker", "shop.web:create('a', b=\"c\")"),
        folder="/app/deploy it",
        port=8080,
        health="/health?of=$model&'deep'",
        workers=8,
        threads=1,
        index="https://packages.example/simple?a=b&c",
        extra_indexes=("http://one.example/simple", "https://two.example/simple"),
        secret=True,
        export="uv export --frozen --output-file=uv.lock.exported.txt",
        exported="uv.lock.exported.txt",
        torch_backend="cpu",
        package=True,
        system_packages=("libgomp1", "libpq5=15.6-0+deb12u1"),
        serves_models=True,
        user=20000,
        pins=Pins(uv="1.1", gunicorn="2.1", dumb_init="3.1", uvicorn="4.1", uvicorn_worker="5.1"),
    ),
    "served by itself": dataclasses.replace(
        USUAL, interface="", command=("sh", "-c", "exec streamlit run 'my app.py' --server.port=\"${PORT}\"")
    ),
}


RENDERED = {
    **{name: render_dockerfile(recipe) for name, recipe in RECIPES.items()},
    "unusual-buildkit": render_dockerfile(RECIPES["unusual"], Builder.BUILDKIT),
}


@pytest.mark.parametrize("name", RENDERED)
def test_it_is_what_was_looked_at(name: str) -> None:
    assert RENDERED[name] == (GOLDEN / f"{name}.Dockerfile").read_text()


@pytest.mark.parametrize("name", RECIPES)
def test_the_classic_builder_accepts_it(name: str) -> None:
    text = render_dockerfile(RECIPES[name])
    assert not re.search(r"--mount|--chmod|--link|<<", text, re.MULTILINE)
    assert [each.keyword for each in parse_instructions(text)].count("FROM") == (
        2 + bool(RECIPES[name].system_packages) + RECIPES[name].package
    )


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe) if field.name not in HOW])
def test_whatever_it_says_is_in_its_hash(field: str) -> None:
    changed: dict[str, Any] = {field: getattr(RECIPES["unusual"], field)}
    assert dataclasses.replace(USUAL, **changed).digest() != USUAL.digest()


@pytest.mark.parametrize("field", HOW)
def test_some_things_decide_how_it_is_built_but_not_what(field: str) -> None:
    changed: dict[str, Any] = {field: True}
    assert dataclasses.replace(USUAL, **changed).digest() == USUAL.digest()


def test_the_template_in_the_package_is_the_one_at_the_root() -> None:
    assert TEMPLATE.resolve() == Path(__file__).parents[2] / "Dockerfile.template"


@pytest.mark.parametrize(("cpus", "workers", "expected"), [(0.5, 0, 1), (1, 0, 1), (1.5, 0, 2), (4, 0, 4), (1, 3, 3)])
def test_as_many_workers_as_the_cpus_call_for(tmp_path: Path, cpus: float, workers: int, expected: int) -> None:
    given = project(tmp_path, app={"cpus": cpus, "workers": workers})
    assert Recipe.of(given).workers == expected


def test_a_proxy_stays_out_of_the_history(tmp_path: Path) -> None:
    """The builder knows these arguments by itself, and forgets them unless the recipe declares them."""
    args = (("HTTPS_PROXY", "http://user:pass@proxy"), ("UV_DEFAULT_INDEX", "x"), ("no_proxy", "a"))
    assert Recipe.of(project(tmp_path, args=args)).args == ("UV_DEFAULT_INDEX",)


if __name__ == "__main__":
    for name, text in RENDERED.items():
        (GOLDEN / f"{name}.Dockerfile").write_text(text)
