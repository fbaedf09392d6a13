"""What the pipelines of GitLab and Azure have in common: documents as YAML, and steps as blocks of bash."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from mldeploy.ci.workflow import ENV_FILE_VARIABLE

Document = dict[str, object]


class _Dumper(yaml.SafeDumper):
    """Writes scripts as they are, and no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def dump_pipeline(document: Document) -> str:
    """Return the YAML of a pipeline."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)


def plain_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Return a step's lines without what GitHub alone reads."""
    kept = (line for line in lines if "GITHUB_OUTPUT" not in line)
    return tuple(line.replace("::error::", "").replace("$ENV_FILE", f"${ENV_FILE_VARIABLE}") for line in kept)
