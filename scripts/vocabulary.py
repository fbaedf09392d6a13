"""Measure the vocabulary of the packages: class names that two classes bear, and words that say nothing.

A newcomer looks for a class by its name. Two classes of one name are one idea, or need two names.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGES = (Path("mldeploy"), Path("mldeploy_model"), Path("mldeploy_proxy"))
VAGUE = re.compile(r"\b(found|asked|said|told|wanted|place)\b")
MOST_VAGUE_WORDS = 480
MOST_SHARED_CLASSES = 60
SHARED: Mapping[str, str] = {}
"""Class names that more than one class may bear, each with the reason."""


def main() -> None:
    """SystemExit with everything that is beyond its limit."""
    files = sorted(file for package in PACKAGES for file in package.rglob("*.py"))
    problems = [*shared_classes(files), *vague_words(files)]
    if problems:
        sys.exit("\n".join(problems))


def shared_classes(files: list[Path]) -> Iterator[str]:
    """A line for each class name that is defined more than once without a reason, and one if there are too many."""
    definitions: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                definitions[node.name].append(f"{file}:{node.lineno}")
    shared = {name: lines for name, lines in definitions.items() if len(lines) > 1}
    for name, lines in sorted(shared.items()):
        if name not in SHARED:
            yield f"class {name} is defined {len(lines)} times: {', '.join(lines)}. Rename all but one."
    if (count := sum(map(len, shared.values()))) > MOST_SHARED_CLASSES:
        yield f"{count} classes share their name with another one; at most {MOST_SHARED_CLASSES} may."


def vague_words(files: list[Path]) -> Iterator[str]:
    """One line if the words stand more often than they may: say what the thing is instead."""
    counts = {file: len(VAGUE.findall(file.read_text(encoding="utf-8"))) for file in files}
    total = sum(counts.values())
    if total > MOST_VAGUE_WORDS:
        worst = sorted(counts, key=lambda file: -counts[file])[:10]
        lines = ", ".join(f"{file} {counts[file]}" for file in worst)
        yield f"{VAGUE.pattern}: {total} times, at most {MOST_VAGUE_WORDS}. Most often in {lines}."


if __name__ == "__main__":
    main()
