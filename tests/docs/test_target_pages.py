"""Each target has a page, and its prices are those of `plan`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from mldeploy.providers import registry
from mldeploy.providers.aws.fargate import prices as fargate
from mldeploy.providers.azure.webapp import plan as webapp
from mldeploy.providers.capabilities import HourlyPrice
from mldeploy.providers.gcp.gke import prices as gke

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "targets"
PARTS = {"Before", "Settings that matter", "What it costs", "HTTPS and a domain", "Limits", "Teardown"}

FOR_DEVELOPERS = {"testing"}
"""Extras that docs/providers.md explains."""


def test_every_target_has_a_page_with_all_parts() -> None:
    pages = [page.read_text(encoding="utf-8") for page in PAGES.glob("*.md")]
    titles = " ".join(text.partition("\n")[0] for text in pages)
    assert set(registry.built_in()) == set(re.findall(r"`(\w+)`", titles))
    for text in pages:
        assert set(re.findall(r"^## (.+)$", text, re.MULTILINE)) >= PARTS


@pytest.mark.parametrize(
    ("page", "prices"),
    [
        ("aws.md", fargate.PRICES.values()),
        ("google.md", gke.PRICES.values()),
        ("azure.md", webapp.PRICES.values()),
    ],
)
def test_the_prices_are_those_of_plan(page: str, prices: Iterable[HourlyPrice]) -> None:
    written = {float(price) for price in re.findall(r"\$(\d+\.\d+)", (PAGES / page).read_text(encoding="utf-8"))}
    known = list(prices)
    assert written
    assert written <= {price.hourly for price in known} | {round(24 * price.hourly, 4) for price in known}


def test_the_readme_names_every_target_and_every_extra() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| [")]
    assert set(registry.built_in()) == set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows)))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"mldeploy\[(\w+)\]", readme)) == set(extras) - FOR_DEVELOPERS
