"""The face of every command: its flags, and in its docstring its text in `--help` and in the manual.

The work is done in `mldeploy.cli.work`, which is loaded only once the command is known: `--help` waits for no SDK.
"""

# ruff: noqa: PLC0415 - see above

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


def predict(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", metavar="JSON", help="JSON to send, @FILE to read it from, - for standard input."),
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Rows to send, with their columns' names in the first line."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", "-f", metavar="NAME=VALUE", help="One field of one row; repeat it for each."),
    ] = None,
) -> None:
    """Ask what is deployed for a prediction.

    Takes JSON, a CSV file or single fields; with none of them it sends the golden row's request. An app that takes no
    table (`app.predict_table`) gets the rows of a CSV file one after the other.
    """
    from mldeploy.cli.payload import Input
    from mldeploy.cli.work import predicting

    predicting.predict(run, target, Input(data, csv, tuple(field or ())))


def open_url(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Print where the app answers, and open it in the browser if there is one."""
    from mldeploy.cli.work import operating

    operating.open_url(run, target)


def status(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Say what is there of a deployment, step by step, and where it answers."""
    from mldeploy.cli.work import looking

    looking.status(run, target)


def ps(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """List the running and stopped copies of the app."""
    from mldeploy.cli.work import operating

    operating.ps(run, target)


def logs(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more, until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", metavar="N", min=0, help="The last N lines; 0: all.")] = 100,
) -> None:
    """Print what the app writes to its log."""
    from mldeploy.cli.work import operating

    operating.logs(run, target, follow=follow, tail=tail)


def history(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """List the versions that were brought to the target: which one serves, which ones failed."""
    from mldeploy.cli.work import releasing

    releasing.history(run, target)


def rollback(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    revision: Annotated[
        str | None,
        typer.Argument(metavar="[REVISION]", help="Its name in `history`; the one before if none.", show_default=False),
    ] = None,
) -> None:
    """Bring an earlier version back, without building anything. The next `deploy` goes forward again."""
    from mldeploy.cli.work import releasing

    releasing.rollback(run, target, revision)


def scale(
    run: Run,
    count: Annotated[int, typer.Argument(metavar="N", min=1, help="How many copies are to run.")],
    target: options.Target = options.DEFAULT_TARGET,
) -> None:
    """Run so many copies of the app. Deployments keep that number, unless the configuration says another one."""
    from mldeploy.cli.work import releasing

    releasing.scale(run, target, count)


def images(
    run: Run,
    prune: Annotated[
        int | None,
        typer.Option(
            "--prune", metavar="N", min=0, help="Remove all but the last N, and those in use.", show_default=False
        ),
    ] = None,
) -> None:
    """List the app's images on this machine's engine."""
    from mldeploy.cli.work import images as work

    work.images(run, prune)


def execute(
    run: Run,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND…", help="The command, and its own words.")],
    target: options.Target = options.DEFAULT_TARGET,
    instance: Annotated[
        str, typer.Option("--instance", metavar="NAME", help="Which copy, as `ps` names it.", show_default=False)
    ] = "",
    stdin: Annotated[bool, typer.Option("--stdin", "-i", help="Give it this command's standard input.")] = False,
) -> None:
    """Run a command in a copy of the app, pass on what it writes, and end with its exit status.

    `mldeploy exec -t kubernetes -- python -c "import sklearn; print(sklearn.__version__)"`. It is a program that is
    started, no terminal: editors and shells have no prompt there.
    """
    from mldeploy.cli.work import executing

    executing.execute(run, target, command, instance, stdin=stdin)


def stop(run: Run, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Stop the app without removing anything; `deploy` starts it again."""
    from mldeploy.cli.work import operating

    operating.stop(run, target)


def destroy(
    run: Run,
    target: options.Target = options.DEFAULT_TARGET,
    app: Annotated[
        str | None,
        typer.Option("--app", metavar="NAME", help="The app to remove, whatever the folder says.", show_default=False),
    ] = None,
    keep_images: Annotated[
        bool, typer.Option("--keep-images", help="Leave the app's images, and the repository that holds them.")
    ] = False,
    yes: options.Yes = False,
) -> None:
    """Remove everything that mldeploy made for the app on the target, and make sure that it is gone."""
    from mldeploy.cli.work import destroying

    destroying.destroy(run, target, app, keep_images=keep_images, yes=yes)


def rehearse(
    run: Run,
    action: Annotated[
        options.Rehearsed, typer.Argument(metavar="up|down|status", help="Start it, end it, or say what it holds.")
    ],
    cloud: Annotated[
        str | None,
        typer.Argument(metavar="[CLOUD]", help="Which cloud: `aws`; all of them if none.", show_default=False),
    ] = None,
) -> None:
    """Keep stand-ins for the clouds on this machine, against which every command with `--rehearse` works.

    They hold repositories, run what is deployed as containers on the Docker Engine, and refuse what a cloud would
    refuse. `down` removes their containers, images, processes and files; nothing of a rehearsal is left then.
    """
    from mldeploy.cli.work import rehearsing

    rehearsing.rehearse(run, action, cloud)


def version(run: Run) -> None:
    """Print the version."""
    from mldeploy.cli.work import about

    about.version(run)
