"""Start commands as Procfiles, Dockerfiles and unit files have them, with what a shell makes of them."""

from __future__ import annotations

from typing import NamedTuple


class Start(NamedTuple):
    """A command, and what it serves, on which port, in which folder. port: None if the words do not say."""

    line: str
    serves: str
    port: int | None = None
    chdir: str = ""


PLAIN = (
    Start("hatch run prod:gunicorn app:app -b :9041", "app:app", 9041),
    Start("hatch run gunicorn app:app -b :9042", "app:app", 9042),
    Start("uvx --from gunicorn gunicorn app:app -b :9043", "app:app", 9043),
    Start("pipx run --spec gunicorn gunicorn app:app -b :9044", "app:app", 9044),
    Start("gunicorn app:app", "app:app"),
    Start("gunicorn -w 4 -b :$PORT app:app", "app:app"),
    Start("gunicorn --bind=0.0.0.0:${PORT:-8000} --workers=2 --threads 4 --timeout 0 main:app", "main:app", 8000),
    Start("gunicorn -k uvicorn.workers.UvicornWorker -c gunicorn.conf.py main:app", "main:app"),
    Start("gunicorn -b [::]:9022 app:app", "app:app", 9022),
    Start("gunicorn --bind 0.0.0.0:9023 --bind unix:/run/s.sock app:app", "app:app", 9023),
    Start("gunicorn -b unix:/run/s.sock -b 127.0.0.1:1 -b 0.0.0.0:9023 app:app", "app:app", 9023),
    Start("gunicorn -b 127.0.0.1:1,0.0.0.0:9023 app:app", "app:app", 9023),
    Start("gunicorn --user app --group app --umask 007 --log-file - app:app", "app:app"),
    Start("gunicorn \"shop:create_app({'A': 1})\" -b :9019", "shop:create_app({'A': 1})", 9019),
    Start("gunicorn 'shop:create_app(mode=\"a;b\")' -b :9020", 'shop:create_app(mode="a;b")', 9020),
    Start("GUNICORN_CMD_ARGS='--bind=:9000 --workers=3' gunicorn app:app", "app:app", 9000),
    Start("uvicorn main:app --host 0.0.0.0 --port $PORT --workers 4 --root-path /api", "main:app"),
    Start("UVICORN_PORT=9001 uvicorn main:app", "main:app", 9001),
    Start("uvicorn --factory shop:create --app-dir src --ws none --port 1 --no-access-log", "shop:create", 1),
    Start("hypercorn main:app --bind 0.0.0.0:9011", "main:app", 9011),
    Start("hypercorn -w 2 --access-log - -b :9011 main:app", "main:app", 9011),
    Start("granian --interface asgi --port 9012 main:app", "main:app", 9012),
    Start("daphne -b 0.0.0.0 -p 9013 site.asgi:application", "site.asgi:application", 9013),
    Start("waitress-serve --port=9009 --call 'shop:create_app'", "shop:create_app", 9009),
    Start("waitress-serve --listen=*:9010 app:app", "app:app", 9010),
    Start("uwsgi --http :9014 --module app:app --master", "app:app", 9014),
    Start("uwsgi --ini uwsgi.ini", ""),
    Start("uwsgi uwsgi.ini", ""),
    Start("streamlit run app.py --server.port 9015 --server.baseUrlPath /x", "app.py", 9015),
    Start("streamlit run ./src/app.py --server.port=$PORT --server.address=0.0.0.0", "src/app.py"),
    Start("streamlit run app.py", "app.py"),
    Start("fastapi run main.py --port 9017", "main.py", 9017),
    Start("fastapi run", ""),
    Start("fastapi run shop/web.py --app api --port 1", "shop.web:api", 1),
    Start("env FLASK_APP=shop.py flask run --host=0.0.0.0 --port=9007", "shop.py", 9007),
    Start("FLASK_APP=shop flask run -p 9007", "shop", 9007),
    Start("flask --app shop:create_app run -h 0.0.0.0 -p 9008", "shop:create_app", 9008),
    Start("python -u -m flask run -p 9024", "", 9024),
    Start("quart --app shop:app run -p 9024", "shop:app", 9024),
    Start("python app.py --port 9016", "app.py"),
    Start("gradio app.py", "app.py"),
    Start("chainlit run app.py --port 9025", "app.py", 9025),
    Start("panel serve app.py --port 9026 --address 0.0.0.0", "app.py", 9026),
    Start("bentoml serve service:svc -p 9027", "service:svc", 9027),
    Start("mlflow models serve -m model -p 9028", "", 9028),
)
"""One server, by its own options."""

SHELL = (
    Start("sh -c 'cd backend && gunicorn -b 0.0.0.0:9000 app:app'", "app:app", 9000, "backend"),
    Start('bash -lc "cd backend; exec gunicorn -b 0.0.0.0:9000 app:app"', "app:app", 9000, "backend"),
    Start("gunicorn app:app & nginx -g 'daemon off;'", "app:app"),
    Start("nginx && gunicorn -b unix:/tmp/s.sock app:app", "app:app"),
    Start("gunicorn app:app --log-file - 2>&1 | tee log.txt", "app:app"),
    Start("(cd api && uvicorn main:app --port 9001)", "main:app", 9001, "api"),
    Start("(cd docs && make); uvicorn main:app", "main:app"),
    Start("cd a && cd ../b && gunicorn c:d", "c:d", None, "b"),
    Start("{ uvicorn main:app --port 9001; }", "main:app", 9001),
    Start('if [ -n "$X" ]; then python m.py; fi; uvicorn main:app --port 9001', "main:app", 9001),
    Start("while ! nc -z db 5432; do sleep 1; done; exec gunicorn app:app", "app:app"),
    Start("alembic upgrade head && uvicorn main:app --port 9021 || exit 1", "main:app", 9021),
    Start("PYTHONPATH=src PORT=9006 uvicorn main:app --port $PORT", "main:app", 9006),
    Start("export PORT=9006; gunicorn -b 0.0.0.0:${PORT} app:app", "app:app", 9006),
    Start("sh setup.sh && streamlit run page.py", "page.py"),
    Start("gunicorn app:app \\\n  --bind 0.0.0.0:9000", "app:app", 9000),
    Start("gunicorn -b :9000 app:app # the web", "app:app", 9000),
    Start("cat <<EOF > x\ngunicorn not:this\nEOF\ngunicorn app:app", "app:app"),
    Start("MODULE=$(python find.py) gunicorn app:app", "app:app"),
)
"""Lists, pipelines, subshells, conditions, quotes."""

WRAPPED = (
    Start("python -m uvicorn src.main:app --port=9002", "src.main:app", 9002),
    Start("python3.11 -m gunicorn app:app", "app:app"),
    Start("python -X dev -m debugpy --listen 0.0.0.0:5678 -m uvicorn main:app --port 1", "main:app", 1),
    Start("poetry run uvicorn app.main:app --reload", "app.main:app"),
    Start("poetry -C api run gunicorn a:b", "a:b", None, "api"),
    Start("uv run --frozen uvicorn app.main:app --port 9003", "app.main:app", 9003),
    Start("uv run --no-sync -- gunicorn app:app", "app:app"),
    Start("uv run --with gunicorn --extra web gunicorn app:app", "app:app"),
    Start("uv run --directory api -m gunicorn app:app", "app:app", None, "api"),
    Start("uv run app.py", "app.py"),
    Start("pipenv run gunicorn app:app", "app:app"),
    Start("conda run --no-capture-output -n env gunicorn -b :9004 app:app", "app:app", 9004),
    Start("conda run -n flask gunicorn app:app", "app:app"),
    Start("/opt/conda/bin/conda run -n env python app.py", "app.py"),
    Start("xvfb-run -a gunicorn app:app", "app:app"),
    Start("timeout 0 gunicorn app:app", "app:app"),
    Start("timeout -s KILL 1h nice -n 5 gunicorn app:app", "app:app"),
    Start("gosu app gunicorn app:app", "app:app"),
    Start("su-exec app:app gunicorn shop:app", "shop:app"),
    Start("su -s /bin/sh app -c 'gunicorn app:app'", "app:app"),
    Start("sudo -E -u www-data gunicorn app:app", "app:app"),
    Start("env -C api -u X A=1 gunicorn app:app", "app:app", None, "api"),
    Start("bin/start-nginx bundle exec gunicorn app:app", "app:app"),
    Start("bin/start-pgbouncer newrelic-admin run-program gunicorn app:app --config=etc/g.py", "app:app"),
    Start("wait-for-it db:5432 -- gunicorn -b :9005 app:app", "app:app", 9005),
    Start("./wait-for-it.sh db:5432 -- gunicorn -b :9005 app:app", "app:app", 9005),
    Start("dockerize -wait tcp://db:5432 -timeout 60s gunicorn app:app", "app:app"),
    Start("./entrypoint.sh gunicorn -b :9005 app:app", "app:app", 9005),
    Start("ddtrace-run gunicorn app:app", "app:app"),
    Start("tini -- gunicorn app:app", "app:app"),
    Start("tini -g -s -- sh -c 'exec gunicorn app:app'", "app:app"),
    Start("dumb-init gunicorn --chdir ./api -b 0.0.0.0:9018 app:app", "app:app", 9018, "api"),
    Start("newrelic-admin run-program gunicorn app:app", "app:app"),
    Start("opentelemetry-instrument --traces_exporter console gunicorn app:app", "app:app"),
    Start(
        '"$VIRTUAL_ENV/bin/gunicorn" -w $((2 * $(nproc) + 1)) --bind "0.0.0.0:${PORT:-8080}" app:app', "app:app", 8080
    ),
    Start("/bin/bash -c 'source venv/bin/activate && gunicorn app:app'", "app:app"),
    Start("python ./app.py", "app.py"),
    Start("doppler run -- gunicorn app:app", "app:app"),
)
"""Programs that start the server."""

NO_SERVER = (
    "",
    "echo gunicorn app:app",
    "pip install gunicorn",
    "flask db upgrade",
    "poetry add gunicorn flask",
    "uv pip install gunicorn uvicorn",
    "conda install -y gunicorn flask",
    "sudo pip install gunicorn flask",
    "uv sync",
    "poetry install",
    "python manage.py migrate",
    "python -c 'import app'",
    "nginx",
    "cd web",
    "streamlit hello",
    "mlflow run .",
)
