"""The bill of materials: valid, complete, and with what needs what."""

from __future__ import annotations

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from mldeploy.check.inspection import Distribution, ImageInspection
from mldeploy.check.sbom import render_sbom
from mldeploy.image.types import Image

IMAGE = Image("shop:3fa9", "sha256:" + "a" * 64, "linux/amd64", 1, ())
FLASK = Distribution(
    "Flask", "3.1.3", "BSD-3-Clause", ('Werkzeug>=3; python_version >= "3.9"', "asgiref; extra == 'async'")
)
WERKZEUG = Distribution("werkzeug", "3.1.3", "BSD License")
ASGIREF = Distribution("asgiref", "3.8.1", "MIT OR Apache-2.0")


def written(*distributions: Distribution) -> str:
    return render_sbom("shop", IMAGE, ImageInspection("3.11.2", "x86_64", distributions))


def is_valid(text: str) -> bool:
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert problem is None, problem
    return True


def test_every_distribution_is_in_it_with_what_it_needs() -> None:
    text = written(FLASK, WERKZEUG, ASGIREF)
    assert is_valid(text)
    bom = json.loads(text)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert bom["metadata"]["component"]["name"] == "shop"
    assert bom["metadata"]["component"]["hashes"][0]["content"] == "a" * 64
    result = {each["name"]: each for each in bom["components"]}
    assert result.keys() == {"python", "Flask", "werkzeug", "asgiref"}
    assert result["Flask"]["purl"] == "pkg:pypi/flask@3.1.3"
    assert result["Flask"]["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert result["werkzeug"]["licenses"] == [{"license": {"name": "BSD License"}}]
    assert result["asgiref"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    needs = {each["ref"]: each.get("dependsOn", []) for each in bom["dependencies"]}
    assert needs["pkg:pypi/flask@3.1.3"] == ["pkg:pypi/werkzeug@3.1.3"], "what only an extra asks for is not needed"


words = st.text(st.characters(codec="utf-8"), max_size=20)
distributions = st.builds(
    Distribution,
    name=st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,10}[A-Za-z0-9])?", fullmatch=True),
    version=st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}(\+[a-z0-9]{1,5})?", fullmatch=True),
    license=words,
    requires=st.lists(words, max_size=2).map(tuple),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(distributions, max_size=4))
def test_whatever_authors_write_it_is_valid(result: list[Distribution]) -> None:
    assert is_valid(written(*result))
