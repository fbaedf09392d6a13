"""Build the source distribution and the wheel, and try them as a user gets them: `make package`.

The tests of the suite need the checkout; what is tried here is what an index would hold. Needs a package index for the
packages that mldeploy requires.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copy

from packaging.metadata import Metadata

from scripts.package_sbom import render_release_sbom
from scripts.package_trial import FreshInstall

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write both distributions and the SBOM to a folder, or exit with what is wrong with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory(prefix="mldeploy-package-") as scratch:
        folder = Path(scratch)
        source = copy_source(folder / "source")
        built = Distributions.build(source, folder / "dist")
        refuse(built.differences(Distributions.build(source, folder / "again", wheel_of_sdist=False)))
        refuse(missing_and_stray(built.wheel, source))
        refuse(metadata_problems(built.wheel))
        fresh = FreshInstall.of(built.wheel, folder / "trial")
        refuse(fresh.problems())
        sbom = render_release_sbom(fresh.python, built.wheel)
        out.mkdir(exist_ok=True)
        for file in (built.sdist, built.wheel):
            print(copy(file, out))
        (out / f"{built.wheel.stem}.cdx.json").write_text(sbom)
        print(out / f"{built.wheel.stem}.cdx.json")


def refuse(problems: Sequence[str]) -> None:
    """SystemExit if there are any."""
    if problems:
        sys.exit("\n".join(("The package is not fit for an index:", *problems)))


def copy_source(folder: Path, root: Path = ROOT) -> Path:
    """Copy what is committed or about to be: a stray file of the checkout gets into no distribution."""
    for name in source_files(root):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy(root / name, folder / name, follow_symlinks=False)
    return folder


def source_files(root: Path = ROOT) -> list[str]:
    """The files of the repository that are not ignored."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True, cwd=root).stdout.split("\0")
    return [name for name in names if (root / name).is_file()]


@dataclass(frozen=True)
class Distributions:
    """The two files of a release."""

    sdist: Path
    wheel: Path

    @classmethod
    def build(cls, source: Path, out: Path, *, wheel_of_sdist: bool = True) -> "Distributions":
        """Build both. wheel_of_sdist: build the wheel from the source distribution, as an installer may do."""
        both = [] if wheel_of_sdist else ["--sdist", "--wheel"]
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *both, str(source)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=build_environment())
        if done.returncode:
            sys.exit(f"The build failed:\n{done.stdout}{done.stderr}")
        (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
        return cls(sdist, wheel)

    def differences(self, other: "Distributions") -> list[str]:
        """Where the bytes differ. A second build of the same commit must give the same files."""
        pairs = ((self.sdist, other.sdist), (self.wheel, other.wheel))
        return [f"{one.name}: two builds differ" for one, two in pairs if one.read_bytes() != two.read_bytes()]


def build_environment() -> dict[str, str]:
    """Date every file as the commit, unless SOURCE_DATE_EPOCH is set: https://reproducible-builds.org/specs/source-date-epoch/."""
    dated = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], check=False, capture_output=True, text=True, cwd=ROOT
    ).stdout.strip()
    return {**({"SOURCE_DATE_EPOCH": dated} if dated else {}), **os.environ}


def missing_and_stray(wheel: Path, source: Path) -> list[str]:
    """What the wheel lacks or has beyond the packages: every file of theirs is code, or is read at run time."""
    tables = tomllib.loads((source / "pyproject.toml").read_text())
    packages = tables["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = {
        path.relative_to(source).as_posix()
        for package in packages
        for path in (source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    return [
        *(f"{wheel.name}: lacks {name}" for name in sorted(needed - held)),
        *(f"{wheel.name}: has {name}, which is in no package" for name in sorted(held - needed)),
    ]


def metadata_problems(wheel: Path) -> list[str]:
    """What an index would refuse in the metadata. The public index validates with `packaging.metadata`, too."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (inside,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        raw = archive.read(inside)
    try:
        metadata = Metadata.from_email(raw, validate=True)
    except ExceptionGroup as group:
        return [f"{wheel.name}: {problem}" for problem in group.exceptions]
    licenses = [f"{Path(inside).parent.as_posix()}/licenses/{name}" for name in metadata.license_files or ()]
    return [
        *(f"{wheel.name}: lacks {name}" for name in licenses if name not in names),
        *(
            f"{wheel.name}: {what} is empty"
            for what in ("description", "license_expression")
            if not getattr(metadata, what)
        ),
    ]


if __name__ == "__main__":
    main()
