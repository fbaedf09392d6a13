"""Operations on an existing site: configuration, log, instances; start, stop, restart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mldeploy.rehearsal.azure.arm import resource_types, site_schemas
from mldeploy.rehearsal.azure.arm.routes import ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json, SiteError, validate
from mldeploy.rehearsal.azure.arm.state import ArmResource
from mldeploy.rehearsal.azure.arm.webapps import SITE_PATH, SLOT_PATH
from mldeploy.rehearsal.azure.sites.front_end import RampUpRule
from mldeploy.rehearsal.azure.sites.site import StandInSite, StandInSites

_REST = re.compile(
    r"/(config/.*|containerlogs|instances|start|stop|restart)$",
    re.IGNORECASE,
)
_REFERENCES = "config/configreferences/appsettings"


class WebConfig:
    """The operations on the configuration and the state of sites and slots."""

    def __init__(self, sites: StandInSites) -> None:
        self._sites = sites

    @property
    def routes(self) -> Iterator[ArmRoute]:
        for path, kind in ((SITE_PATH, resource_types.SITE), (SLOT_PATH, resource_types.SLOT)):
            yield ArmRoute(f"GET {path}/config/web", kind, self._get_web)
            yield ArmRoute(f"PUT {path}/config/web", kind, self._set_web)
            yield ArmRoute(f"PATCH {path}/config/web", kind, self._set_web)
            yield ArmRoute(f"POST {path}/config/appsettings/list", kind, self._list_settings, read_only=True)
            yield ArmRoute(f"PUT {path}/config/appsettings", kind, self._set_settings)
            yield ArmRoute(f"GET {path}/{_REFERENCES}", kind, self._list_references)
            yield ArmRoute(f"GET {path}/config/logs", kind, self._get_logs)
            yield ArmRoute(f"PUT {path}/config/logs", kind, self._set_logs)
            yield ArmRoute(
                f"POST {path}/config/publishingcredentials/list",
                kind,
                self._list_publishing_credentials,
                read_only=True,
            )
            yield ArmRoute(f"POST {path}/containerlogs", kind, self._get_log, read_only=True)
            yield ArmRoute(f"GET {path}/instances", kind, self._list_instances)
            yield ArmRoute(f"POST {path}/start", kind, self._start)
            yield ArmRoute(f"POST {path}/stop", kind, self._stop)
            yield ArmRoute(f"POST {path}/restart", kind, self._restart)

    def _find(self, request: ArmRequest) -> tuple[ArmResource, StandInSite]:
        resource = request.account.get(_REST.sub("", request.path))
        return resource, self._sites[resource]

    def _get_web(self, request: ArmRequest) -> ArmResponse:
        return _config_response(request, "web", _describe_config(self._find(request)[1]))

    def _set_web(self, request: ArmRequest) -> ArmResponse:
        validate(request.body, site_schemas.WEB)
        resource, site = self._find(request)
        experiments = request.body["properties"].pop("experiments", None)
        if experiments is not None:
            site.rules = self._parse_rules(request, resource, experiments.get("rampUpRules") or ())
        changed = {name: value for name, value in request.body["properties"].items() if value is not None}
        settings = changed.pop("appSettings", None)
        before = (dict(site.config), dict(site.settings))
        site.config.update(changed)
        if settings is not None:
            site.settings = {each["name"]: each.get("value") or "" for each in settings}
        if before != (site.config, site.settings):
            site.restart()
        return _config_response(request, "web", _describe_config(site))

    def _parse_rules(self, request: ArmRequest, site: ArmResource, rules: Sequence[Json]) -> tuple[RampUpRule, ...]:
        """Each rule leads to a slot of the site. What Azure says to others is not published: the texts are ours."""
        slots = request.account.list_resources(resource_types.SLOT, within=site.id)
        hosts = {self._sites[each].host.lower(): self._sites[each] for each in slots}
        parsed = []
        for each in rules:
            host, percent = str(each.get("actionHostName", "")), float(each.get("reroutePercentage") or 0)
            if host.lower() not in hosts:
                raise SiteError(400, "BadRequest", f"The rule '{each.get('name')}' leads to no slot: '{host}'.")
            parsed.append(RampUpRule(str(each.get("name") or ""), percent, hosts[host.lower()]))
        if not 0 <= sum(each.percent for each in parsed) <= 100:
            raise SiteError(400, "BadRequest", "The percentages of the rules are to be 0 to 100 together.")
        return tuple(parsed)

    def _list_settings(self, request: ArmRequest) -> ArmResponse:
        return _config_response(request, "appsettings", self._find(request)[1].settings)

    def _set_settings(self, request: ArmRequest) -> ArmResponse:
        validate(request.body, site_schemas.SETTINGS)
        _, site = self._find(request)
        before, site.settings = site.settings, dict(request.body["properties"])
        if before != site.settings:
            site.restart()
        return _config_response(request, "appsettings", site.settings)

    def _list_references(self, request: ArmRequest) -> ArmResponse:
        """List the key vault references of the app settings with their status."""
        _, site = self._find(request)
        listed = [
            {"name": name, "properties": {"reference": value, "status": status, "details": ""}}
            for name, value, status in site.list_references()
        ]
        return ArmResponse(200, {"value": listed})

    def _get_logs(self, request: ArmRequest) -> ArmResponse:
        return _config_response(request, "logs", _describe_logs(self._find(request)[1]))

    def _set_logs(self, request: ArmRequest) -> ArmResponse:
        validate(request.body, site_schemas.LOGS)
        _, site = self._find(request)
        files = ((request.body["properties"].get("httpLogs") or {}).get("fileSystem")) or {}
        before = site.config.get("httpLoggingEnabled")
        site.config["httpLoggingEnabled"] = bool(files.get("enabled"))
        if files.get("retentionInMb") is not None:
            site.config["logsDirectorySizeLimit"] = files["retentionInMb"]
        if before != site.config["httpLoggingEnabled"]:
            site.restart()
        return _config_response(request, "logs", _describe_logs(site))

    def _list_publishing_credentials(self, request: ArmRequest) -> ArmResponse:
        resource, site = self._find(request)
        name = resource.name.replace("/", "__")
        user = {"publishingUserName": f"${name}", "scmUri": f"https://{site.host}/"}
        return _config_response(request, "publishingcredentials", user)

    def _get_log(self, request: ArmRequest) -> ArmResponse:
        resource, site = self._find(request)
        if request.account.is_first("log of", resource):  # the site's Kudu is cold
            raise ArmError(503, "ServiceUnavailable", "The service is unavailable.")
        text = site.log.text
        return ArmResponse(200, text) if text else ArmResponse(204)

    def _list_instances(self, request: ArmRequest) -> ArmResponse:
        unknown = request.account.conditions.is_harsh
        listed = [
            {
                "id": f"{request.path}/{each['name']}",
                "name": each["name"],
                "properties": {"state": "UNKNOWN" if unknown else each["state"]},
            }
            for each in self._find(request)[1].list_instances()
        ]
        return ArmResponse(200, {"value": listed})

    def _start(self, request: ArmRequest) -> ArmResponse:
        resource, site = self._find(request)
        if resource.properties["state"] != "Running":
            resource.properties["state"] = "Running"
            site.restart()
        return ArmResponse(200)

    def _stop(self, request: ArmRequest) -> ArmResponse:
        resource, site = self._find(request)
        resource.properties["state"] = "Stopped"
        site.stop()
        return ArmResponse(200)

    def _restart(self, request: ArmRequest) -> ArmResponse:
        self._find(request)[1].restart()
        return ArmResponse(200)


def _describe_config(site: StandInSite) -> Json:
    rules = [
        {"actionHostName": each.site.host, "reroutePercentage": each.percent, "name": each.name} for each in site.rules
    ]
    return {**site.config, "experiments": {"rampUpRules": rules}}


def _config_response(request: ArmRequest, name: str, properties: object) -> ArmResponse:
    identity = re.sub(r"/list$", "", request.path, flags=re.IGNORECASE)
    body: Json = {"id": identity, "name": name, "type": "Microsoft.Web/sites/config", "properties": properties}
    return ArmResponse(200, body)


def _describe_logs(site: StandInSite) -> Json:
    files = {"enabled": bool(site.config.get("httpLoggingEnabled"))}
    return {"httpLogs": {"fileSystem": {**files, "retentionInMb": site.config.get("logsDirectorySizeLimit", 35)}}}
