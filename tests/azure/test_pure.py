"""What is decided before anything is sent: names, the site, releases, verdicts, the graph's shape."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.app.client import AnswerError, GoldenError, NoAnswer, NoAnswerError
from mldeploy.config import load
from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.core.graph import steps_of
from mldeploy.core.step import Step
from mldeploy.core.verbs.destroy import needed_kinds
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.checks import allows
from mldeploy.providers.azure.log_lines import new_lines
from mldeploy.providers.azure.webapp import autoscale, sites
from mldeploy.providers.azure.webapp.logs import LogMark, strip_timestamp
from mldeploy.providers.azure.webapp.plan import PRICES, estimate_webapp
from mldeploy.providers.azure.webapp.provider import provider
from mldeploy.providers.azure.webapp.settings import Scaling, WebappSettings
from mldeploy.providers.azure.webapp.site_spec import (
    SiteSpec,
    build_app_settings,
    build_site,
    compare_specs,
    keep_platform_settings,
    parse_site,
    with_image,
)
from mldeploy.providers.azure.webapp.sites import (
    MAX_RELEASES,
    MAX_TAGS,
    SiteReleaseState,
    find_by_image,
    next_release,
    parse_releases,
    with_release,
)
from mldeploy.providers.azure.webapp.verdict import (
    SiteEvidence,
    build_verdict,
    is_ready,
    is_unauthorized,
    proves_failure,
)
from mldeploy.testing.promises import Promise, proves

PROJECT = load.named("paper", "a test")
DIGEST = "sha256:" + "0" * 64
SUBSCRIPTION = "12345678-1234-1234-1234-123456789012"


def settings(**values: object) -> WebappSettings:
    return WebappSettings.model_validate(values)


SPEC = SiteSpec(
    image=f"registry.example/paper@{DIGEST}",
    settings=build_app_settings(replace(PROJECT, app=replace(PROJECT.app, env=(("A", Secret("one")),))), settings()),
    health="/health",
    always_on=True,
    identity="/subscriptions/1/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i",
    client="client",
    plan="/subscriptions/1/resourceGroups/g/providers/Microsoft.Web/serverfarms/p",
)


@given(st.from_regex(r"[a-z][a-z0-9-]{0,38}", fullmatch=True))
def test_names_are_such_as_azure_takes(app: str) -> None:
    registry, site = tags.derive_registry_name(app, SUBSCRIPTION), tags.derive_site_name(app, SUBSCRIPTION)
    assert registry.isalnum()
    assert 5 <= len(registry) <= 50
    assert 2 <= len(site) <= 60
    assert not site.startswith("-")
    assert tags.derive_registry_name(app, "another") != registry
    assert tags.resolve_name(f"{app}*", SUBSCRIPTION, tags.derive_site_name) == site
    assert tags.resolve_name("theirs", SUBSCRIPTION, tags.derive_site_name) == "theirs"


def test_two_long_names_are_never_one() -> None:
    one, other = tags.resource_name("a" * 40, limit=40), tags.resource_name("a" * 39 + "b", limit=40)
    assert one != other
    assert len(one) == len(other) == 40


@pytest.mark.parametrize(
    "values",
    [
        {"min": 2},
        {"sku": "S1", "min": 3, "max": 2},
        {"sku": "S1", "max": 2, "instances": 2},
        {"max": 2},
        {"instances": 4},
        {"sku": "S1", "max": 11},
    ],
)
def test_keys_that_contradict_each_other_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"target\.webapp\."):
        provider.goal(PROJECT, settings(**values))


def test_a_site_is_read_as_it_was_written() -> None:
    written = build_site(SPEC, "westeurope", {"a": "b"})
    assert written.properties is not None
    config = written.properties.site_config
    result = {each.name or "": each.value or "" for each in (config.app_settings if config else None) or ()}
    assert parse_site(written, config, result) == SPEC
    assert compare_specs(SPEC, SPEC) == ()


def test_every_difference_is_told_and_no_value() -> None:
    other = SiteSpec(
        image=f"registry.example/paper@{DIGEST[:-1]}1",
        settings=(("A", Secret("changed-secret")), ("C", Secret("new-secret"))),
        health="/",
        always_on=False,
        identity="/other",
        client="",
        plan="/other",
        https_only=False,
        affinity=True,
        tls="1.0",
        ftp="AllAllowed",
        logging=False,
    )
    lines = compare_specs(SPEC, other)
    variables = [line for line in lines if line.startswith("variable ")]
    assert len(lines) - len(variables) == len(fields(SiteSpec)) - 1
    assert {"variable A → changed", "variable C → added", "variable WEBSITES_PORT → removed"} <= set(variables)
    assert not any(value in line for line in lines for value in ("changed-secret", "new-secret", "one"))
    assert "registry login with the app's identity → with a password" in lines


def test_ids_are_the_same_in_capitals() -> None:
    assert compare_specs(SPEC, replace(SPEC, plan=SPEC.plan.upper(), identity=SPEC.identity.lower())) == ()


def test_what_the_portal_has_added_stays_and_what_nobody_says_goes() -> None:
    existing = {**dict(SPEC.settings), "WEBSITE_TIME_ZONE": Secret("UTC"), "OLD": Secret("x")}
    current = replace(SPEC, settings=tuple(sorted(existing.items())))
    assert compare_specs(current, keep_platform_settings(SPEC, existing)) == ("variable OLD → removed",)


def test_the_container_is_told_its_port_and_its_secrets_by_reference() -> None:
    uri = "https://shop.vault.azure.net/secrets/key"
    result = {
        each: value.reveal()
        for each, value in build_app_settings(
            PROJECT, settings(secrets={"KEY": uri}), ("host", "admin", Secret("password"))
        )
    }
    assert result["KEY"] == f"@Microsoft.KeyVault(SecretUri={uri})"
    assert result["PORT"] == result["WEBSITES_PORT"] == str(PROJECT.app.port)
    assert result["DOCKER_REGISTRY_SERVER_URL"] == "https://host"
    assert result["WEBSITES_CONTAINER_START_TIME_LIMIT"] == "230"
    patient = replace(PROJECT, check=replace(PROJECT.check, start_timeout=600))
    assert settings().start_limit(patient) == 630
    moved = with_image(SPEC, "other@sha256:1", 9090)
    assert (moved.port, moved.digest) == (9090, "sha256:1")


def test_releases_are_read_as_they_were_written() -> None:
    first = next_release((), DIGEST, 8080)
    served = first.with_state(SiteReleaseState.SERVED)
    known = parse_releases({**with_release({}, served), "other": "tag", f"{sites.PREFIX}x": "nonsense"})
    assert known == (served,)
    assert find_by_image(known, DIGEST) == served
    second = next_release(known, "sha256:2", 9090)
    assert second.number == 2
    assert next_release(parse_releases(with_release({first.tag: first.value}, second)), "sha256:2", 9090) == second
    assert len(second.value) <= 256


@pytest.mark.parametrize(("foreign", "kept"), [(2, MAX_RELEASES), (30, MAX_TAGS - 30), (MAX_TAGS - 1, 1)])
def test_a_site_has_room_for_the_last_releases(foreign: int, kept: int) -> None:
    """Beside the tags of others, which stay, and never more than Azure allows."""
    tags = others = {f"tag{number}": "theirs" for number in range(foreign)}
    for _ in range(MAX_RELEASES + 5):
        entry = next_release(parse_releases(tags), DIGEST, 8080).with_state(SiteReleaseState.SERVED)
        tags = with_release(tags, entry)
    assert len(parse_releases(tags)) == kept
    assert parse_releases(tags)[0].number == MAX_RELEASES + 5
    assert others.items() <= tags.items()
    assert len(tags) <= MAX_TAGS


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=4), st.integers(0, 8))
def test_what_is_new_in_a_log_is_found(before: list[str], added: list[str], lost: int) -> None:
    """Also where its beginning is not shown any more, unless all of it is gone."""
    numbered = [f"{at} {line}" for at, line in enumerate(before)]
    new = [f"new {at} {line}" for at, line in enumerate(added)]
    now = [*numbered, *new][min(lost, len(numbered)) :]
    assert list(new_lines(tuple(numbered), tuple(now))) == new


def test_lines_before_an_unreadable_log_are_told_by_their_stamps() -> None:
    old = ("2026-11-28 11:59:59.100 Site started.", "  a line without a stamp")
    new = ("2026-11-28T12:00:00.123Z Pulling image: x", "  another", "2026-11-28T12:00:03Z Site started.")
    mark = LogMark(None, "2026-11-28T12:00:00")
    assert tuple(mark.added((*old, *new))) == new
    assert not mark.added(old)
    assert tuple(LogMark(old, "2026-11-28T13:00:00").added((*old, *new))) == new


def test_a_line_is_told_without_its_stamp() -> None:
    assert strip_timestamp("2026-11-28T12:00:00.123Z serving one") == "serving one"
    assert strip_timestamp("no stamp") == "no stamp"


PULL = "Container pull image failed with reason: ImagePullUnauthorizedFailure. Revert by terminate."
OLD_PULL = (
    'ERROR - DockerApiException: Docker API responded with status code=InternalServerError, response={"message":'
    '"Get https://x/v2/x: unauthorized: authentication required"}'
)
EXIT = ("Container has finished running with exit code: 1.", "Site container: s terminated during site startup.")
PINGS = (
    "Container s_0_1 didn't respond to HTTP pings on port: 5000, failing site start. See container logs for debugging."
)
LATE = "Container did not start within expected time limit of 230s."


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ((PULL,), "may not pull from the registry"),
        ((OLD_PULL,), "may not pull from the registry"),
        (("Container pull image failed with reason: ImagePullNotFoundFailure.",), "no longer in the registry"),
        (("Container pull image failed with reason: ImagePullFailure.",), "cannot be pulled"),
        (
            ("ModuleNotFoundError: No module named 'pandas'", *EXIT),
            "the module pandas is not in the image (exit code 1)",
        ),
        (("Container s for site s has exited, failing site start",), "its container ended while it started"),
        (("exec /app: exec format error", *EXIT), "built for another processor"),
        ((PINGS,), "nothing responds on port 5000"),
        (("Listening at: http://0.0.0.0:8000 (7)", PINGS), "but something listens on 0.0.0.0:8000"),
        ((LATE, PINGS), "nothing responds on port 5000 within 230 s, the start limit"),
        (("Listening at: http://0.0.0.0:8000 (7)", LATE, PINGS), "but something listens on 0.0.0.0:8000"),
        (("Listening at: http://0.0.0.0:5000 (7)", PINGS), "listens on 0.0.0.0:5000, but port 5000 does not respond"),
        (("Listening at: http://[::1]:5000 (7)", LATE, PINGS), "on [::1]:5000, which only the container itself can"),
    ],
)
def test_a_cause_is_found(lines: tuple[str, ...], cause: str) -> None:
    assert proves_failure(lines)
    result = build_verdict(PROJECT, "s", SiteEvidence(lines, None, 1.0))
    assert cause in result.cause
    assert result.todo
    assert result.exit_status == (1 if EXIT[0] in lines else None)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (AnswerError("https://s/health", "answers 500", status=500), "/health answers 500"),
        (NoAnswerError("https://s/health", NoAnswer.LATE), "it does not serve after 9 s"),
        (AnswerError("https://s/health", "answers 503", status=503), "it does not serve after 9 s"),
        (GoldenError("https://s/predict", "prediction: 1, not 2"), "the golden row differs: prediction: 1, not 2"),
        (None, "it does not serve after 9 s"),
    ],
)
def test_a_silent_version_says_how(answer: AnswerError | None, cause: str) -> None:
    assert cause in build_verdict(PROJECT, "s", SiteEvidence((), answer, 9.0)).cause


def test_a_start_that_succeeds_proves_nothing_against_it() -> None:
    lines = ("Pulling image: x", "Starting container: s_0_1.", "Site startup probe succeeded after 1.2 seconds.")
    assert is_ready(lines)
    assert not proves_failure(lines)
    assert is_unauthorized((OLD_PULL,))
    assert not is_unauthorized(lines)


def test_no_value_of_a_variable_is_told_and_no_line_of_the_platforms() -> None:
    project = replace(PROJECT, app=replace(PROJECT.app, env=(("TOKEN", Secret("s3cr3t-value")),)))
    result = build_verdict(project, "s", SiteEvidence(("ValueError: s3cr3t-value", *EXIT), None, 1.0))
    assert result.log == ("ValueError: [REDACTED]",)
    assert "s3cr3t" not in str(result)


def test_autoscaling_is_read_as_it_was_written() -> None:
    goal = Scaling(1, 4, 70)
    assert autoscale.parse_scaling(autoscale.build_setting("paper", "setting", "westeurope", "/plan", goal)) == goal


@proves(
    Promise.COST,
    targets=(
        "webapp",
        "acr",
    ),
)
def test_a_month_on_a_small_plan() -> None:
    existing = estimate_webapp("eastus", settings())
    known = {item.what: item.monthly for item in existing.items if item.monthly is not None}
    assert known == {"App Service plan": 12.41, "container registry": 5.07}
    unknown = estimate_webapp("antarctica", settings(sku="P3v3", instances=2))
    assert not unknown.known
    assert all(item.how and not item.source for item in unknown.items)
    for price in PRICES.values():
        assert price.source.startswith("https://")
        assert date.fromisoformat(price.date) <= date.today()  # noqa: DTZ011 - a day more or less says nothing


def test_a_permission_is_granted_by_any_role_that_does_not_except_it() -> None:
    contributor = (("*",), ("Microsoft.Authorization/*/Write",))
    assert allows([contributor], "Microsoft.Web/sites/write")
    assert not allows([contributor], "Microsoft.Authorization/roleAssignments/write")
    assert allows(
        [contributor, (("Microsoft.Authorization/roleAssignments/*",), ())],
        "microsoft.authorization/roleAssignments/write",
    )
    assert not allows([], "Microsoft.Web/sites/write")


def test_the_image_is_made_while_everything_else_is_prepared() -> None:
    """Neither waits for the other: a deployment takes as long as the longer of the two."""
    goal = provider.goal(PROJECT, settings(sku="S1", max=2))
    assert goal is not None
    graph = cast("dict[Step[object, object], tuple[Step[object, object], ...]]", steps_of(goal))
    image = {step.kind for step in _with_needs(graph, "pushed-image")}
    for kind in ("managed-identity", "app-service-plan", "pull-role", "autoscale-setting"):
        assert kind not in image
        assert "pushed-image" not in {step.kind for step in _with_needs(graph, kind)}


def test_what_needs_goes_before_what_is_needed() -> None:
    needed = needed_kinds(provider.kinds)
    assert {"app-service-plan", "managed-identity", "pull-role", "container-registry"} <= needed["web-app"]
    assert {"container-registry", "managed-identity", "resource-group"} <= needed["pull-role"]
    assert "app-service-plan" in needed["autoscale-setting"]
    assert "resource-group" in needed["container-registry"]


def _with_needs(
    graph: dict[Step[object, object], tuple[Step[object, object], ...]], kind: str
) -> set[Step[object, object]]:
    existing = {step for step in graph if step.kind == kind}
    while more := {need for step in existing for need in graph[step]} - existing:
        existing |= more
    return existing
