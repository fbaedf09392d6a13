"""Dockerfiles of random instructions that set an image's configuration, and nothing that needs a program."""

from __future__ import annotations

import random

from mldeploy.project.detect.starts.dockerfile import Stage

ENVIRONMENT = (
    "ENV A=1 B=two",
    "ENV C=\"x y\" D='$A' E=a\\ b",
    "ENV F $A and ${B:-none}",
    "ENV G=${NONE:-${A:-deep}} H=${A:+set} I=${NONE:+set}",
    'ENV J="${A}-\\$A" K=$A$B L=${A}x',
    "ENV\tM=tab",
    "env n=lower\\\n  o=continued \\\n  # a comment\n\n  p=1",
    'ENV Q="a\\"b" R="it\'s"',
    "ENV A=$A$A B=$A",
    "ENV S=http://x:1/?a=b&c#d",
    "ENV T=$ U=a$ V=\\$A",
)
ARGUMENTS = (
    "ARG X=1",
    "ARG X=1 Y=2 Z",
    'ARG W="a b" V=$X',
    "ARG A=shadowed\nENV AA=$A",
    "ARG PORT=8080\nENV PORT=${PORT}",
    "ARG TAG\nENV TAG=${TAG:-none}",
)
PORTS = (
    "EXPOSE 80",
    "EXPOSE 8125/udp 8000/tcp",
    "EXPOSE $PORT",
    "EXPOSE ${PORT:-5000}/TCP",
    "EXPOSE 9000-9003",
    "expose\t7000 7001",
    "EXPOSE 8080 8080/udp",
)
PLACES = (
    "WORKDIR /app",
    "WORKDIR src",
    "WORKDIR /x$A",
    "WORKDIR ${NONE:-/default}/x",
    'WORKDIR "/quoted dir"',
    "USER 1000",
    "USER app:app",
    "USER ${UID:-10001}",
)
COMMANDS = (
    "CMD gunicorn -b :$PORT app:app",
    'CMD ["gunicorn", "app:app"]',
    'CMD ["sh", "-c", "echo \\"x\\" $A"]',
    "CMD ['python', 'app.py']",
    "CMD a && \\\n    b   c",
    "CMD []",
    'ENTRYPOINT ["gunicorn"]',
    "ENTRYPOINT exec gunicorn app:app",
    "ENTRYPOINT []",
    'SHELL ["/bin/bash", "-lc"]',
    'CMD ["unterminated"',
    'CMD [ "a" , "b" ] ',
    "LABEL x=y",
    "STOPSIGNAL SIGTERM",
)  # fmt: skip


def make_dockerfile(seed: int) -> str:
    """A Dockerfile with one to three stages, each based on nothing or on the one before."""
    choose = random.Random(seed)  # noqa: S311 - the same file each time
    lines = ["\ufeff" * (seed % 7 == 0) + "ARG BASE=scratch", "ARG FROM_ARG=given TAG=global", "FROM ${BASE} AS one"]
    for number in range(choose.randint(1, 3)):
        if number:
            lines.append(choose.choice([f"FROM scratch AS s{number}", f"FROM ONE as s{number}", "FROM one"]))
        for kind in (ARGUMENTS, ENVIRONMENT, PORTS, PLACES, COMMANDS):
            lines += choose.choices(kind, k=choose.randint(0, 3))
        lines += choose.choices(COMMANDS, k=choose.randint(0, 2))
    return ("\r\n" if seed % 5 == 0 else "\n").join("\n".join(lines).split("\n")) + "\n"


def shown_by_inspect(stage: Stage) -> dict[str, object]:
    """What `docker inspect` shows of an image of this stage."""
    return {
        "Env": {name: value for name, (value, _) in stage.environment.items()},
        "ExposedPorts": set(stage.exposed),
        "WorkingDir": stage.workdir,
        "User": stage.user,
        "Entrypoint": list(stage.entrypoint[0]) if stage.entrypoint else [],
        "Cmd": list(stage.cmd[0]) if stage.cmd else [],
    }
