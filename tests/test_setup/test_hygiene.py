"""What no committed file may name."""

from pathlib import Path

import pytest

from scripts.hygiene import leftovers, places

# In pieces, so that this file does not name them itself.
REGISTRIES = ["https://pypi" + ".org/simple", "files.pythonhosted" + ".org", "registry.npmjs" + ".org"]
MIRRORS = ["http://deb.debian" + ".org/debian", "archive.ubuntu" + ".com"]
MACHINES = [
    "/" + "root/.cache",
    "cd /" + "work/main",
    "file:///opt/" + "wheels/x",
    "/home/" + "alice/x",
    '"/Users/' + 'a/b"',
]


@pytest.mark.parametrize("named", [*REGISTRIES, *MIRRORS, *MACHINES])
def test_a_registry_and_a_machines_own_path_are_found_where_they_stand(tmp_path: Path, named: str) -> None:
    file = tmp_path / "notes.md"
    file.write_text(f"first\nsee {named} for more\n")
    (place,) = places(file)
    assert place.startswith(f"{file}:2: ")


@pytest.mark.parametrize(
    "harmless",
    [
        "WORKDIR /app/work/",
        "https://example.com/root/x",
        "/home/app/.cache",
        "docs/work/x",
        "pip install mldeploy",
        "./root/x",
    ],
)
def test_what_only_looks_like_it_is_left_alone(tmp_path: Path, harmless: str) -> None:
    file = tmp_path / "notes.md"
    file.write_text(harmless)
    assert list(places(file)) == []


def test_a_binary_and_a_deleted_file_name_nothing(tmp_path: Path) -> None:
    binary = tmp_path / "model.joblib"
    binary.write_bytes(b"\x80\x04/root/\xff")
    assert [*places(binary), *places(tmp_path / "gone")] == []


def test_what_a_merge_or_an_editor_leaves_behind_is_found() -> None:
    assert leftovers(["app.py", "app.py.orig", "app.py.rej", "app.py~", "original.py"]) == [
        "app.py.orig",
        "app.py.rej",
        "app.py~",
    ]
