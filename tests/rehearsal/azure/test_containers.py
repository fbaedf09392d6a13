"""Sites that are containers: they start, fail, are renewed and swapped as on App Service, and their log says why."""

from __future__ import annotations

import pytest
from azure.mgmt.web.models import CsmSlotEntity

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.record import LABEL
from tests.rehearsal.account import eventually
from tests.rehearsal.azure.clients import Clients
from tests.rehearsal.azure.estate import GROUP, PORT, SITE, Estate

pytestmark = pytest.mark.engine
SAYS = (
    "exec python3 -uc 'import http.server as h, os\n"
    "class A(h.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    '        self.send_response(200 if self.path != "/health" else int(os.environ.get("HEALTH", 200)))\n'
    '        said = self.headers["X-Forwarded-Proto"] if self.path == "/scheme" else os.environ["VERSION"]\n'
    "        self.end_headers(); self.wfile.write(said.encode())\n"
    'print("listening"); h.ThreadingHTTPServer(("", int(os.environ["PORT"])), A).serve_forever()\''
)
"""A server that answers with the variable VERSION."""


@pytest.fixture
def estate(alive: Clients, engine: Engine) -> Estate:
    eventually(lambda: containers(alive, engine) == 0 or None, "nothing of an earlier test")
    made = Estate.made(alive, engine, "S1")
    made.usual = {"WEBSITES_CONTAINER_START_TIME_LIMIT": "1800"}  # the longest there is, for a loaded machine
    made.assign()
    return made


def says(estate: Estate, url: str, what: str) -> None:
    eventually(lambda: estate.get(url).text == what or None, f"a site that says {what}")


def containers(alive: Clients, engine: Engine) -> int:
    labels = {"label": f"{LABEL}={alive.rehearsal.record.name}"}
    return len(engine.client.containers(all=True, filters=labels))


def running(alive: Clients, engine: Engine) -> list[str]:
    """The ids of the containers that run."""
    labels = {"label": f"{LABEL}={alive.rehearsal.record.name}"}
    return [str(each["Id"]) for each in engine.client.containers(filters=labels)]


def test_a_container_gets_what_is_configured_and_its_words_are_in_the_log(
    alive: Clients, engine: Engine, estate: Estate
) -> None:
    url = estate.up(estate.deploy(SAYS, settings={"VERSION": "one"}))
    assert [estate.get(url + path).text for path in ("", "scheme")] == ["one", "https"]
    log = estate.logged("listening")
    assert f"Pulling image: {estate.image}" in log
    assert "Site startup probe succeeded after" in log
    assert "is ready to serve requests." in log
    alive.web.web_apps.delete(GROUP, SITE, delete_empty_server_farm=False)
    eventually(lambda: containers(alive, engine) == 0 or None, "no container")


def test_the_old_one_answers_until_the_new_one_does(alive: Clients, engine: Engine, estate: Estate) -> None:
    url = estate.up(estate.deploy(SAYS, settings={"VERSION": "one"}))
    (old,) = running(alive, engine)
    estate.deploy(f"until [ -e /tmp/go ]; do sleep 0.1; done; {SAYS}", settings={"VERSION": "two"})
    new = eventually(lambda: next((each for each in running(alive, engine) if each != old), None), "a new container")
    seen = [estate.get(url)]
    engine.client.exec_start(engine.client.exec_create(new, ["touch", "/tmp/go"])["Id"])
    while seen[-1].text != "two":
        seen.append(estate.get(url))
        assert seen[-1].status_code == 200
    assert {each.text for each in seen} == {"one", "two"}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("script", "settings", "words"),
    [
        ("echo no model; exit 3", {}, ["no model", "exit code: 3.", "has exited, failing site start"]),
        (
            f"exec python3 -m http.server {PORT + 1}",
            {"WEBSITES_CONTAINER_START_TIME_LIMIT": "3"},
            [f"didn't respond to HTTP pings on port: {PORT}", "expected time limit of 3s."],
        ),
    ],
    ids=["exits", "listens elsewhere"],
)
def test_a_container_that_does_not_come_up_takes_the_site_down_and_says_why(
    estate: Estate, script: str, settings: dict[str, str], words: list[str]
) -> None:
    url = estate.up(estate.deploy(SAYS, settings={"VERSION": "one"}))
    estate.deploy(script, settings=settings)
    log = estate.logged("Failed to start site. Revert by stopping site.")
    for each in words:
        assert each in log
    answer = estate.get(url)
    assert (answer.status_code, "Application Error" in answer.text) == (503, True)
    estate.deploy(SAYS, settings={"VERSION": "one"})
    says(estate, url, "one")


def test_an_image_is_pulled_with_the_sites_identity_or_not_at_all(alive: Clients, estate: Estate) -> None:
    estate.deploy(SAYS, settings={"VERSION": "one"}, acr_use_managed_identity_creds=False)
    estate.logged("ImagePullUnauthorizedFailure")
    missing = estate.image.partition("@")[0] + "@sha256:" + "0" * 64
    site = estate.deploy(SAYS, settings={"VERSION": "one"}, linux_fx_version=f"DOCKER|{missing}")
    estate.logged("ImagePullNotFoundFailure")
    roles = alive.roles.role_assignments
    mine = next(str(each.id) for each in roles.list_for_scope(estate.registry) if each.description)
    roles.delete_by_id(mine)
    estate.deploy(SAYS, settings={"VERSION": "one"})
    eventually(lambda: estate.log().count("ImagePullUnauthorizedFailure") > 1 or None, "a role that is missed")
    estate.assign()
    alive.web.web_apps.restart(GROUP, SITE)
    says(estate, estate.up(site), "one")


def test_the_admin_users_password_opens_the_registry_too(alive: Clients, estate: Estate) -> None:
    change: dict[str, object] = {"properties": {"adminUserEnabled": True}}
    registries = alive.registries.registries
    registries.begin_update(GROUP, "shopregistry", change).result()
    credentials = registries.list_credentials(GROUP, "shopregistry")
    access = {
        "VERSION": "one",
        "DOCKER_REGISTRY_SERVER_USERNAME": str(credentials.username),
        "DOCKER_REGISTRY_SERVER_PASSWORD": str((credentials.passwords or [])[0].value),
    }
    site = estate.deploy(SAYS, settings=access, acr_use_managed_identity_creds=False)
    says(estate, estate.up(site), "one")


def test_a_request_restarts_a_container_that_has_exited(alive: Clients, engine: Engine, estate: Estate) -> None:
    url = estate.up(estate.deploy(SAYS, settings={"VERSION": "one"}))
    (container,) = running(alive, engine)
    engine.client.kill(container)
    estate.logged("Container has finished running with exit code: 137.")
    says(estate, url, "one")


def test_an_instance_says_how_its_health_check_fares(alive: Clients, estate: Estate) -> None:
    estate.up(estate.deploy(SAYS, settings={"VERSION": "one", "HEALTH": "500"}, health_check_path="/health"))
    instances = alive.web.web_apps.list_instance_identifiers(GROUP, SITE)
    assert ["UNKNOWN" in str(each.properties.state) for each in instances if each.properties] == [True]


def test_a_swap_exchanges_running_containers_and_starts_none(alive: Clients, engine: Engine, estate: Estate) -> None:
    url = estate.up(estate.deploy(SAYS, settings={"VERSION": "one"}))
    slot = estate.up(estate.deploy_slot(SAYS, settings={"VERSION": "two"}))
    target = CsmSlotEntity(target_slot="staging", preserve_vnet=True)
    alive.web.web_apps.begin_swap_slot_with_production(GROUP, SITE, target).result()
    assert (estate.get(url).text, estate.get(slot).text) == ("two", "one")
    assert containers(alive, engine) == 2
    alive.web.web_apps.delete_slot(GROUP, SITE, "staging")
    eventually(lambda: containers(alive, engine) == 1 or None, "one container")
    assert estate.get(url).text == "two"
