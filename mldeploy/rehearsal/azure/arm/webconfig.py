"""What is asked of a site that there is: its configuration, its log, its instances; that it start, stop or restart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mldeploy.rehearsal.azure.arm import kinds, webshapes
from mldeploy.rehearsal.azure.arm.account import Resource
from mldeploy.rehearsal.azure.arm.routes import Answer, Question, Route
from mldeploy.rehearsal.azure.arm.shape import Json, check
from mldeploy.rehearsal.azure.arm.webapps import PLACE, SLOT
from mldeploy.rehearsal.azure.sites.site import Site
from mldeploy.rehearsal.azure.sites.sites import Sites
from mldeploy.rehearsal.azure.sites.wanted import resolved

_REST = re.compile(
    r"/(config/.*|containerlogs|instances|start|stop|restart)$",
    re.IGNORECASE,
)
_REFERENCES = "config/configreferences/appsettings"


class WebConfig:
    """Answers for what belongs to a site or a slot."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites

    @property
    def routes(self) -> Iterator[Route]:
        for place, kind in ((PLACE, kinds.SITE), (SLOT, kinds.SLOT)):
            yield Route(f"GET {place}/config/web", kind, self._web)
            yield Route(f"PUT {place}/config/web", kind, self._set_web)
            yield Route(f"PATCH {place}/config/web", kind, self._set_web)
            yield Route(f"POST {place}/config/appsettings/list", kind, self._settings, reads=True)
            yield Route(f"PUT {place}/config/appsettings", kind, self._set_settings)
            yield Route(f"GET {place}/{_REFERENCES}", kind, self._references)
            yield Route(f"GET {place}/config/logs", kind, self._logs)
            yield Route(f"PUT {place}/config/logs", kind, self._set_logs)
            yield Route(f"POST {place}/config/publishingcredentials/list", kind, self._publishing, reads=True)
            yield Route(f"POST {place}/containerlogs", kind, self._text, reads=True)
            yield Route(f"GET {place}/instances", kind, self._instances)
            yield Route(f"POST {place}/start", kind, self._start)
            yield Route(f"POST {place}/stop", kind, self._stop)
            yield Route(f"POST {place}/restart", kind, self._restart)

    def _of(self, asked: Question) -> tuple[Resource, Site]:
        resource = asked.account.need(_REST.sub("", asked.path))
        return resource, self._sites[resource]

    def _web(self, asked: Question) -> Answer:
        return _config(asked, "web", self._of(asked)[1].config)

    def _set_web(self, asked: Question) -> Answer:
        check(asked.body, webshapes.WEB)
        _, site = self._of(asked)
        changed = {name: value for name, value in asked.body["properties"].items() if value is not None}
        settings = changed.pop("appSettings", None)
        before = (dict(site.config), dict(site.settings))
        site.config.update(changed)
        if settings is not None:
            site.settings = {each["name"]: each.get("value") or "" for each in settings}
        if before != (site.config, site.settings):
            site.renew()
        return _config(asked, "web", site.config)

    def _settings(self, asked: Question) -> Answer:
        return _config(asked, "appsettings", self._of(asked)[1].settings)

    def _set_settings(self, asked: Question) -> Answer:
        check(asked.body, webshapes.SETTINGS)
        _, site = self._of(asked)
        before, site.settings = site.settings, dict(asked.body["properties"])
        if before != site.settings:
            site.renew()
        return _config(asked, "appsettings", site.settings)

    def _references(self, asked: Question) -> Answer:
        """How each reference to a key vault fares."""
        _, site = self._of(asked)
        told = {name: (value, resolved(asked.account, value)[1]) for name, value in site.settings.items()}
        listed = [
            {"name": name, "properties": {"reference": value, "status": status, "details": ""}}
            for name, (value, status) in told.items()
            if status
        ]
        return Answer(200, {"value": listed})

    def _logs(self, asked: Question) -> Answer:
        return _config(asked, "logs", _logging(self._of(asked)[1]))

    def _set_logs(self, asked: Question) -> Answer:
        check(asked.body, webshapes.LOGS)
        _, site = self._of(asked)
        files = ((asked.body["properties"].get("httpLogs") or {}).get("fileSystem")) or {}
        before = site.config.get("httpLoggingEnabled")
        site.config["httpLoggingEnabled"] = bool(files.get("enabled"))
        if files.get("retentionInMb") is not None:
            site.config["logsDirectorySizeLimit"] = files["retentionInMb"]
        if before != site.config["httpLoggingEnabled"]:
            site.renew()
        return _config(asked, "logs", _logging(site))

    def _publishing(self, asked: Question) -> Answer:
        resource, site = self._of(asked)
        name = resource.name.replace("/", "__")
        user = {"publishingUserName": f"${name}", "scmUri": f"https://{site.host}/"}
        return _config(asked, "publishingcredentials", user)

    def _text(self, asked: Question) -> Answer:
        text = self._of(asked)[1].log.text
        return Answer(200, text) if text else Answer(204)

    def _instances(self, asked: Question) -> Answer:
        listed = [
            {"id": f"{asked.path}/{each['name']}", "name": each["name"], "properties": {"state": each["state"]}}
            for each in self._of(asked)[1].instances()
        ]
        return Answer(200, {"value": listed})

    def _start(self, asked: Question) -> Answer:
        resource, site = self._of(asked)
        if resource.properties["state"] != "Running":
            resource.properties["state"] = "Running"
            site.renew()
        return Answer(200)

    def _stop(self, asked: Question) -> Answer:
        resource, site = self._of(asked)
        resource.properties["state"] = "Stopped"
        site.stop()
        return Answer(200)

    def _restart(self, asked: Question) -> Answer:
        self._of(asked)[1].renew()
        return Answer(200)


def _config(asked: Question, name: str, properties: object) -> Answer:
    identity = re.sub(r"/list$", "", asked.path, flags=re.IGNORECASE)
    body: Json = {"id": identity, "name": name, "type": "Microsoft.Web/sites/config", "properties": properties}
    return Answer(200, body)


def _logging(site: Site) -> Json:
    files = {"enabled": bool(site.config.get("httpLoggingEnabled"))}
    return {"httpLogs": {"fileSystem": {**files, "retentionInMb": site.config.get("logsDirectorySizeLimit", 35)}}}
