"""The site is built without a warning, from pages that are readable in the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import site, troubleshooting

ROOT = Path(__file__).parents[2]


def test_the_site_is_built_and_has_every_page(tmp_path: Path) -> None:
    site.build(ROOT, tmp_path / "site")
    html = tmp_path / "site" / "html"
    assert "troubleshooting" in (html / "index.html").read_text(encoding="utf-8")
    for page in site.sources(ROOT):
        name = page.relative_to(ROOT).with_suffix("")
        folder = name.parent if name.name == "README" else name
        assert (html / folder / "index.html").is_file(), page


def test_a_broken_link_ends_the_build(tmp_path: Path) -> None:
    root = copy_of_sources(tmp_path)
    (root / "docs" / "other.md").write_text("# Other\n")
    (root / "README.md").write_text("# Home\n\n[there](docs/other.md#nowhere)\n")
    with pytest.raises(SystemExit, match="anchor does not exist"):
        site.build(root, tmp_path / "site")


def test_links_to_files_that_there_are_not_and_pages_that_nobody_finds_are_named(tmp_path: Path) -> None:
    root = copy_of_sources(tmp_path)
    (root / "docs" / "lost.md").write_text("[code](../bench/none)\n\n```\n[shown](only.md)\n```\n")
    assert list(site.broken_links(root)) == ["docs/lost.md: ../bench/none does not exist"]
    assert list(site.pages_without_navigation(root)) == [f"docs/lost.md is not in the navigation of {site.CONFIG}"]


def test_lists_that_the_site_would_show_as_text_are_named(tmp_path: Path) -> None:
    root = copy_of_sources(tmp_path)
    (root / "docs" / "lists.md").write_text("Three:\n- one\n\n1. two\n\n   three\n")
    (root / "docs" / "more.md").write_text("1. one\n\n    more\n2. two\n")
    assert list(site.broken_lists(root)) == [
        "docs/lists.md: indent what belongs to an item by four spaces:    three",
        "docs/lists.md: needs an empty line before it: - one",
        "docs/more.md: needs an empty line before it: 2. two",
    ]


def test_the_repository_has_none_of_these() -> None:
    assert not [*site.broken_links(ROOT), *site.pages_without_navigation(ROOT), *site.broken_lists(ROOT)]


def test_the_troubleshooting_page_is_current() -> None:
    """To mend it: `python -m scripts.troubleshooting docs/troubleshooting.md`."""
    assert (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8") == troubleshooting.render()


def copy_of_sources(folder: Path) -> Path:
    """A repository with empty pages."""
    root = folder / "repository"
    (root / "docs" / "schemas").mkdir(parents=True)
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        (root / name).write_text(f"# {name}\n")
    (root / site.CONFIG).write_text(
        '[project]\nsite_name = "x"\ndocs_dir = "pages"\nsite_dir = "html"\nnav = [\n'
        + "".join(f'    "{name}",\n' for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))
        + "]\n"
    )
    return root
