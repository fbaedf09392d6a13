# The dependencies. Of all that happens in this stage only /venv goes on.
FROM localhost:5000/own/python@sha256:0000000000000000000000000000000000000000000000000000000000000000 AS builder
LABEL mldeploy.app="shop" mldeploy.target="local" mldeploy.stage="builder"
WORKDIR /build
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
COPY builder/certificates.pem ./
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 \
    PATH=$PATH:/build/uv/bin VIRTUAL_ENV=/venv UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never SOURCE_DATE_EPOCH=946684800
RUN export SSL_CERT_FILE=/build/certificates.pem PIP_CERT=/build/certificates.pem PIP_INDEX_URL='https://packages.example/simple?a=b&c' UV_DEFAULT_INDEX='https://packages.example/simple?a=b&c' PIP_EXTRA_INDEX_URL='http://one.example/simple https://two.example/simple' UV_INDEX='http://one.example/simple https://two.example/simple' PIP_TRUSTED_HOST=one.example UV_TORCH_BACKEND=cpu && until [ -e /dev/shm/mldeploy ]; do sleep 0.1; done && . /dev/shm/mldeploy && python3 -m pip install --quiet --no-compile --disable-pip-version-check --root-user-action=ignore --target=/build/uv uv==1.1
COPY builder/*.py builder/requirements/ ./
COPY builder/mldeploy_model/ ./mldeploy_model/
# Bytecode without times in it, and one time for every file: the same packages are the same layer, wherever it is built.
# A file that does not compile is no reason to fail: some packages ship templates, or code for another Python.
RUN export SSL_CERT_FILE=/build/certificates.pem PIP_CERT=/build/certificates.pem PIP_INDEX_URL='https://packages.example/simple?a=b&c' UV_DEFAULT_INDEX='https://packages.example/simple?a=b&c' PIP_EXTRA_INDEX_URL='http://one.example/simple https://two.example/simple' UV_INDEX='http://one.example/simple https://two.example/simple' PIP_TRUSTED_HOST=one.example UV_TORCH_BACKEND=cpu && until [ -e /dev/shm/mldeploy ]; do sleep 0.1; done && . /dev/shm/mldeploy && uv venv --quiet --python=python3 /venv \
 && uv export --frozen --output-file=uv.lock.exported.txt \
 && uv pip install --requirements='deploy/what is needed.txt' --requirements=uv.lock.exported.txt \
 && uv pip install --no-deps uvicorn-worker==5.1 \
 && uv pip install dumb-init==3.1 $([ -e /venv/bin/gunicorn ] || echo gunicorn==2.1) $([ -e /venv/bin/uvicorn ] || echo uvicorn==4.1 httptools==0.9.0 websockets==17.4) \
 && mv gunicorn_conf.py /venv/ && mv mldeploy_*.py mldeploy_model /venv/lib/python3*/site-packages/ \
 && python3 trim.py /venv \
 && { python3 -m compileall -qq -j 0 --invalidation-mode unchecked-hash /venv/lib || true; } \
 && mkdir -p /out/app && mv /venv /out/ \
 && find /out -exec touch -h -d @946684800 {} +
RUN mkdir -p /out'/app/deploy it' && find /out/app -exec touch -h -d @946684800 {} +

# The project itself, installed from what its build backend reads of it; its code stays in /app. What it adds goes on.
FROM builder AS package
LABEL mldeploy.app="shop" mldeploy.target="local" mldeploy.stage="builder"
COPY package.py ./
COPY package/ /app/
RUN export SSL_CERT_FILE=/build/certificates.pem PIP_CERT=/build/certificates.pem PIP_INDEX_URL='https://packages.example/simple?a=b&c' UV_DEFAULT_INDEX='https://packages.example/simple?a=b&c' PIP_EXTRA_INDEX_URL='http://one.example/simple https://two.example/simple' UV_INDEX='http://one.example/simple https://two.example/simple' PIP_TRUSTED_HOST=one.example UV_TORCH_BACKEND=cpu && until [ -e /dev/shm/mldeploy ]; do sleep 0.1; done && . /dev/shm/mldeploy && uv venv --quiet --python=python3 /venv && uv pip install --no-deps --editable /app \
 && python3 package.py /venv /package \
 && find /package -exec touch -h -d @946684800 {} +

# Older BuildKits make these two for every RUN where the base has none, and leave the time of that at their folder.
FROM localhost:5000/own/python@sha256:0000000000000000000000000000000000000000000000000000000000000000 AS mounted
LABEL mldeploy.app="shop" mldeploy.target="local"
RUN mkdir -p /mounted/etc && touch /mounted/etc/hosts /mounted/etc/resolv.conf \
 && find /mounted -exec touch -d @946684800 {} +

# What runs: base, dependencies, model, assets, code, what changes most often last. Equal files are equal layers, so an
# edit ships the layer that it is in and no other.
FROM localhost:5000/own/python@sha256:0000000000000000000000000000000000000000000000000000000000000000
LABEL mldeploy.app="shop" mldeploy.target="local"
COPY --from=mounted /mounted/ /
# What the base holds already is emptied rather than removed: that something was removed has a time, too.
RUN touch /dev/shm/begun && export DEBIAN_FRONTEND=noninteractive \
 && apt-get -qq update && apt-get -qq install --no-install-recommends libgomp1 libpq5=15.6-0+deb12u1 \
 && find /var/lib/apt/lists /var/cache/apt /tmp -xdev -type f -cnewer /dev/shm/begun -delete \
 && find /var/log /var/cache/ldconfig -xdev -type f -newer /dev/shm/begun -exec truncate -s 0 {} + \
 && find / -xdev -newer /dev/shm/begun -exec touch -h -d @946684800 {} +
COPY --from=builder /out/ /
COPY --from=package /package/ /
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp USER=app LOGNAME=app \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 \
    PORT=8080 HEALTH='/health?of=$model&'"'"'deep'"'"'' WEB_CONCURRENCY=8 THREADS=1
WORKDIR /app/deploy it
EXPOSE 8080
USER 20000:20000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-ISc", "import os,socket;c=socket.create_connection(('127.0.0.1',int(os.environ['PORT'])),3);c.sendall(b'GET '+os.environ['HEALTH'].encode()+b' HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n');raise SystemExit(c.recv(16)[9:12]!=b'200')"]
ENTRYPOINT ["dumb-init", "--single-child", "--"]
CMD ["gunicorn", "--worker-class=mldeploy_asgi.AsgiWorker", "shop.web:create('a', b=\"c\")"]
COPY --chown=20000:20000 model/ /
COPY --chown=20000:20000 assets/ /
COPY --chown=20000:20000 code/ /
