"""Which of PyTorch's builds is installed, and who decides that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mldeploy.config.settings import Index
from mldeploy.image.build_inputs import collect_build_inputs
from tests.image.shop import FILES, project, write


def backend(folder: Path, requirements: str, **build: Any) -> str:
    write(folder, {**FILES, "requirements.txt": requirements})
    recipe = collect_build_inputs(project(folder, **build)).recipe
    assert recipe is not None
    return recipe.torch_backend


@pytest.mark.parametrize("requirements", ["torch", "torch==2.3.1", "sentence-transformers", "flask # torch @ x", ""])
def test_without_a_gpu_it_is_for_the_processor(tmp_path: Path, requirements: str) -> None:
    assert backend(tmp_path, requirements) == "cpu"


@pytest.mark.parametrize(
    "requirements",
    [
        "torch==2.3.0+cu121",
        "torchvision==0.18.0+cpu",
        "torch @ https://example.com/torch.whl",
        "--index-url https://example.com/simple\ntorch",
        "--extra-index-url=https://example.com/cu121\ntorch",
        "-r more.txt",
    ],
)
def test_who_says_where_it_comes_from_is_heard(tmp_path: Path, requirements: str) -> None:
    write(tmp_path, {"more.txt": "-f https://example.com/wheels\n"})
    assert not backend(tmp_path, requirements)


@pytest.mark.parametrize(
    "build",
    [
        {"gpu": True},
        {"index": Index("https://example.com/simple")},
        {"extra_indexes": (Index("https://example.com/simple"),)},
        {"args": (("UV_TORCH_BACKEND", "cu126"),)},
    ],
)
def test_the_configuration_is_heard(tmp_path: Path, build: dict[str, Any]) -> None:
    assert not backend(tmp_path, "torch", **build)
