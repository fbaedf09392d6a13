"""The commands from a folder to a URL."""

# ruff: noqa: PLC0415 - what does the work is loaded once the command is known

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.run import Run


def doctor(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is safe to mend, then look again.")] = False,
) -> None:
    """Say whether this machine, the folder and the target have all that a deployment needs, and what to do if not.

    Looks at the Docker Engine, the folder, the configuration, the network, the clocks and the target, all at once, and
    changes nothing. `--fix` removes what a command that was killed left behind: its lock, and a container that was
    being tried. It never starts an engine, never deletes an image and never edits a file of yours. It looks at what
    is real, and refuses `--rehearse`.
    Exit code 1 if there is an error; with warnings alone 0.
    """
    from mldeploy.cli.work import examining

    examining.doctor(run, target, fix=fix)


def init(
    run: Run,
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The app's folder, the same as -C DIR.", show_default=False)
    ] = None,
    entry: Annotated[
        str,
        typer.Option("--entry", metavar="NAME", help="The app to serve, where there are several.", show_default=False),
    ] = "",
    dockerfile: Annotated[
        bool, typer.Option("--dockerfile", help="Write the recipe, too, as a Dockerfile of your own.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write files anew that are there already.")] = False,
) -> None:
    """Look at the folder, say what it is and what looks wrong, and write `mldeploy.toml` and `.dockerignore`.

    `mldeploy init DIR` is `mldeploy -C DIR init`. The source is read, never run. Where the dependencies are in a lock
    file, an environment or nowhere, `requirements.txt` is written, too. `--dockerfile` adds a `Dockerfile` that makes
    the image that mldeploy would make, with `docker build .` as well; from then on it is yours, and is used as it is.
    A file that is there already is never changed without `--force`.
    """
    from mldeploy.cli.work import initializing

    initializing.init(run, directory, entry, dockerfile=dockerfile, force=force)


def plan(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    port: options.Port = None,
    host: options.Host = None,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    registry_auth: options.RegistryAuth = None,
) -> None:
    """Say what `deploy` would do, and why, without doing it."""
    from mldeploy.cli.work import planning

    overrides = options.overrides(target, port, host, platform, base_image)
    planning.plan(run, target, (*overrides, *options.registry_auth(target, registry_auth)))


def manifests(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    image: Annotated[
        str | None,
        typer.Option(
            "--image", metavar="IMAGE", help="What is to run, by digest; what was pushed if none.", show_default=False
        ),
    ] = None,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print those with secrets, too.")] = False,
) -> None:
    """Print what `deploy` would send to a cluster, as YAML that `kubectl apply -f -` takes.

    The image is named by the digest under which the registry has it: `mldeploy push` brings it there. Manifests that
    hold secrets are named and left out.
    """
    from mldeploy.cli.work import rendering

    rendering.manifests(run, target, image, secrets=show_secrets)


def policy(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Print the least-privilege policy for everything that mldeploy does to this app on the target.

    It is for whoever grants permissions: on AWS an IAM policy for one app, in one account and region.
    """
    from mldeploy.cli.work import permitting

    permitting.policy(run, target)


def build(  # noqa: PLR0913, PLR0917 - one parameter a flag
    run: Run,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    builder: options.Builder = None,
    ca_bundle: options.CaBundle = None,
    cache_from: options.CacheFrom = None,
    cache_to: options.CacheTo = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not start the image to look at it.")] = False,
) -> None:
    """Build the app's image and check it, unless both is done already for exactly these files.

    Prints the image's reference, what built it, its size, each layer's part of it, and what the check warns of.
    """
    from mldeploy.cli.work import images

    how: tuple[options.Setting, ...] = (
        # As every command line: a path is relative to where one stands.
        ("build.ca_bundle", str(Path(ca_bundle).absolute()) if ca_bundle else None, "--ca-bundle"),
        ("build.cache_from", tuple(cache_from) if cache_from else None, "--cache-from"),
        ("build.cache_to", cache_to, "--cache-to"),
    )
    images.build(run, options.build_overrides(platform, base_image, builder, *how), checked=not no_check)


def check(
    run: Run,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    builder: options.Builder = None,
    sbom: Annotated[
        Path | None,
        typer.Option(
            "--sbom",
            metavar="FILE",
            help="Write the bill of materials (CycloneDX 1.6, JSON): what the image's Python has installed.",
            show_default=False,
        ),
    ] = None,
    vulnerabilities: Annotated[
        bool, typer.Option("--vulnerabilities", help="Ask a public database what is known to be wrong with that.")
    ] = False,
) -> None:
    """Build the image, start it once behind the walls that it will have, and say line by line what was found.

    Looks at whether the models load, the installed libraries are those of the requirements and of the models, the app
    listens where it should, becomes healthy, answers the golden row and stops on SIGTERM, what memory it takes, whether
    it runs as root, and whether its files hold a secret. It is always looked at anew; `build` does the same, unless
    that image has been found good already. Exit code 1 if there is an error; with warnings alone 0.

    `--vulnerabilities` sends the distributions' names and versions to OSV, or to what `vulnerability_database` in
    [check] names. If it cannot be asked, that is said; what it knows are warnings.
    """
    from mldeploy.cli.work import checking

    checking.check(run, options.build_overrides(platform, base_image, builder), sbom, vulnerabilities=vulnerabilities)


def login(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    docker_config: Annotated[
        bool, typer.Option("--docker-config", help="Store them for the `docker` command, too, until they expire.")
    ] = False,
) -> None:
    """Prove that the credentials for the target's registry work, and say whose they are.

    Nothing is stored unless `--docker-config` asks for it: `push` asks for credentials of its own each time.
    """
    from mldeploy.cli.work import pushing

    pushing.login(run, target, docker_config=docker_config)


def push(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    registry_auth: options.RegistryAuth = None,
    replace: options.Replace = False,
) -> None:
    """Build the image and bring it to the target's registry, which must confirm its digest.

    The repository is made if there is none. What the registry has already is not sent again.
    """
    from mldeploy.cli.work import pushing

    overrides = (*options.build_overrides(platform, base_image), *options.registry_auth(target, registry_auth))
    pushing.push(run, target, overrides, replace=replace)


def run_local(
    run: Run,
    port: options.Port = None,
    host: options.Host = None,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    replace: options.Replace = False,
) -> None:
    """Run the app on this machine: the same as `deploy --target local`."""
    deploy(run, options.DEFAULT_TARGET, port, host, platform, base_image, replace)


def deploy(  # noqa: PLR0913, PLR0917 - one parameter a flag
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    port: options.Port = None,
    host: options.Host = None,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    replace: options.Replace = False,
    no_rollback: options.NoRollback = False,
    registry_auth: options.RegistryAuth = None,
) -> None:
    """Build the image, run it on the target, wait until it answers, and print where.

    Run it again to resume what was interrupted or to bring out a change; what is as it should be is left alone.
    A version that does not answer, or not with the golden row's answer, gets no traffic: the old one stays.
    """
    from mldeploy.cli.work import deploying

    overrides = options.overrides(target, port, host, platform, base_image)
    kept = options.given((f"target.{target}.rollback", False if no_rollback else None, "--no-rollback"))
    deploying.deploy(run, target, (*overrides, *kept, *options.registry_auth(target, registry_auth)), replace=replace)


def ci(
    run: Run,
    system: Annotated[options.System, typer.Argument(metavar="github", help="Whose workflow it is.")],
    # Not called `target`: a workflow signs in by itself, so a profile or a context of this machine's means nothing.
    onto: options.Target = options.DEFAULT_TARGET,
    branch: Annotated[
        str, typer.Option("--branch", metavar="NAME", help="The branch whose pushes are deployed.")
    ] = "main",
    force: Annotated[bool, typer.Option("--force", help="Write the file anew if there is another.")] = False,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print the file, and write nothing.")] = False,
) -> None:
    """Write a workflow that lints, tests, builds and deploys the app: `.github/workflows/mldeploy.yml`.

    It stands at the root of the git repository that the folder is in; for an app in a sub-folder it is called
    `mldeploy-APP.yml`, so that every app can have one. A pull request is linted, tested and built; a push to the branch
    is deployed as well (for a registry: pushed), one after another. The linters and the tests are those that the folder
    is set up for, and what is installed for them is what `init` finds. On AWS, Google Cloud and Azure the workflow
    signs in with a token that GitHub issues to that one job: no key of the cloud's is kept anywhere.

    What remains to be done once is printed, line by line as bash takes it: the environment, the trust, the variables.
    The same folder gives the same file; another one that is there is never replaced without `--force`.
    """
    from mldeploy.cli.work import automating

    automating.ci(run, system, onto, branch, force=force, alone=stdout)
