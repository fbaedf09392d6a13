# The dependencies. Of all that happens in this stage only /venv goes on.
FROM python:3.11-slim-bookworm AS builder
LABEL mldeploy.app="insurance" mldeploy.target="local" mldeploy.stage="builder"
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 \
    PATH=$PATH:/build/uv/bin VIRTUAL_ENV=/venv UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never SOURCE_DATE_EPOCH=946684800
RUN python3 -m pip install --quiet --no-compile --disable-pip-version-check --root-user-action=ignore --target=/build/uv uv==1.0
COPY builder/*.py builder/requirements/ ./
# Bytecode without times in it, and one time for every file: the same packages are the same layer, wherever it is built.
# A file that does not compile is no reason to fail: some packages ship templates, or code for another Python.
RUN uv venv --quiet --python=python3 /venv \
 && uv pip install --requirements=requirements.txt \
 && uv pip install dumb-init==3.0 $([ -e /venv/bin/gunicorn ] || echo gunicorn==2.0) \
 && mv gunicorn_conf.py /venv/ && mv mldeploy_*.py /venv/lib/python3*/site-packages/ \
 && python3 trim.py /venv \
 && { python3 -m compileall -qq -j 0 --invalidation-mode unchecked-hash /venv/lib || true; } \
 && mkdir -p /out/app && mv /venv /out/ \
 && find /out -exec touch -h -d @946684800 {} +

# What runs: base, dependencies, model, assets, code, what changes most often last. Equal files are equal layers, so an
# edit ships the layer that it is in and no other.
FROM python:3.11-slim-bookworm
LABEL mldeploy.app="insurance" mldeploy.target="local"
COPY --from=builder /out/ /
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp USER=app LOGNAME=app \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 \
    PORT=5000 HEALTH=/health WEB_CONCURRENCY=1 THREADS=4
WORKDIR /app
EXPOSE 5000
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-ISc", "import os,socket;c=socket.create_connection(('127.0.0.1',int(os.environ['PORT'])),3);c.sendall(b'GET '+os.environ['HEALTH'].encode()+b' HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n');raise SystemExit(c.recv(16)[9:12]!=b'200')"]
ENTRYPOINT ["dumb-init", "--single-child", "--"]
CMD ["gunicorn", "--config=/venv/gunicorn_conf.py", "app:app"]
COPY model/ /
COPY assets/ /
COPY code/ /
