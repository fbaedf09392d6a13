"""What a build tells of the packages that it installs."""

from __future__ import annotations

from mldeploy.core.events import Progress
from mldeploy.image.builders.install_progress import InstallProgress

UV = """Using Python 3.11.7 environment at: /venv
Resolved 9 packages in 586ms
Downloading scipy (33.5MiB)
Downloading numpy (512.0KiB)
   Building lib @ file:///build/lib
 Downloaded numpy
 Downloaded scipy
      Built lib @ file:///build/lib
Prepared 9 packages in 4.58s
Installed 9 packages in 341ms
 + numpy==2.4.6
"""
PIP = """Collecting numpy==2.0
  Downloading numpy-2.0.whl (16.3 MB)
Building wheels for collected packages: own
Installing collected packages: numpy, own
Successfully installed numpy-2.0 own-1
"""
SCIPY, NUMPY = 33.5 * (1 << 20), 512 * (1 << 10)


def told(output: str) -> list[Progress]:
    progress = InstallProgress()
    return [each for line in output.splitlines() if (each := progress.read(line))]


def test_uv_is_followed_with_names_and_sizes() -> None:
    assert [(each.text, each.done, each.total) for each in told(UV)] == [
        ("Downloading 9 packages", 0, 0),
        ("Downloading scipy", 0, SCIPY),
        ("Downloading scipy, numpy", 0, SCIPY + NUMPY),
        ("Downloading scipy, numpy", 0, SCIPY + NUMPY),
        ("Downloading scipy", NUMPY, SCIPY + NUMPY),
        ("Building lib from source", 0, 0),
        ("Downloading 9 packages", SCIPY + NUMPY, SCIPY + NUMPY),
        ("Installing 9 packages", 0, 0),
    ]


def test_many_downloads_are_counted() -> None:
    lines = "Resolved 9 packages in 1s\n" + "".join(f"Downloading p{number} (1.0MiB)\n" for number in range(5))
    assert told(lines)[-1].text == "Downloading p0, p1, p2 and 2 more"


def test_a_second_installation_begins_anew() -> None:
    first, *_, last = told("Resolved 1 package in 1ms\nDownloading a (1.0MiB)\nResolved 2 packages in 1ms\n")
    assert (first.text, last.text, last.total) == ("Downloading 1 package", "Downloading 2 packages", 0)


def test_pip_in_a_dockerfile_of_the_users_is_followed_too() -> None:
    assert [each.text for each in told(PIP)] == ["Downloading numpy", "Installing 2 packages"]
