"""What is recommended hangs on what a failed build printed."""

from __future__ import annotations

import pytest

from mldeploy.image.builders.build_progress import suggest_remedy


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "error: Failed to fetch: `https://x/`\n  Caused by: invalid peer certificate: UnknownIssuer",
            "build.ca_bundle",
        ),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] …", "build.ca_bundle"),
        ("error: Request failed after 3 retries\n  Caused by: dns error: failed to lookup address", "network"),
        ("Because nosuch was not found in the package registry and you require nosuch, we can", "requirements"),
        ("Because there is no version of flask==99 and you require flask==99", "requirements"),
        (
            "No solution found:\n  Because a==1 depends on b>=3 and you require b==2, it is unsatisfiable",
            "no versions meet all of them",
        ),
        ("error: Git operation failed\n  cause: Git executable not found. Ensure that Git is installed", "archive"),
        ("error: Failed to download `a==1`\n  cause: Hash mismatch for `a==1`", "correct the hash"),
        ("  Failed to build `pystan==2`\n  error: command 'gcc' failed: No such file or directory", "has no wheel"),
        ("exec /bin/sh: exec format error", "binfmt"),
        ("/bin/sh: 1: python3: not found", "must hold python3"),
        ("/usr/bin/python3: No module named pip", "must hold python3"),
        ("dockerfile parse error line 3: Unknown flag: mount", "BuildKit"),
        ("the --chmod option requires BuildKit. Refer to https://docs.docker.com/", "BuildKit"),
        ("pull access denied for nosuch, repository does not exist or may require 'docker login'", "docker login"),
        ("something else", ""),
    ],
)
def test_remedy(output: str, expected: str) -> None:
    assert expected in suggest_remedy(output)
    assert bool(suggest_remedy(output)) == bool(expected)
