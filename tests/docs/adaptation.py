"""What a test adds to a call of mldeploy in the documentation. Each line imports this: it needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence

CLOUDS = {
    "acr", "containerapps", "cloudrun", "dockerhub", "ecr", "fargate", "gar", "gcr", "gke", "kubernetes", "webapp",
}  # fmt: skip
REAL = {"ci", "doctor", "help", "init", "rehearse", "version"}
"""Commands that have no rehearsal."""


def adapt(words: Sequence[str]) -> list[str]:
    """Add `--rehearse` where a reader has an account, and the answers that a reader types at a question."""
    own, rest = ([*words[: words.index("--")]], [*words[words.index("--") :]]) if "--" in words else ([*words], [])
    target = next((own[at + 1] for at, word in enumerate(own[:-1]) if word in ("-t", "--target")), "local")
    if target in CLOUDS and "--rehearse" not in own and not REAL & set(own):
        own.append("--rehearse")
    if {"destroy", "promote"} & set(own) and "production" in own and "--confirm" not in own:
        own += ["--confirm", "production"]
    if "destroy" in own and "--confirm" not in own and "--yes" not in own:
        own.append("--yes")
    if "--port" in own:
        own[own.index("--port") + 1] = "0"
    return [*own, *rest]
