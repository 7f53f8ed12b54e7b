# bloop in a container:  docker build -t bloop .  &&  docker run -p 127.0.0.1:5332:5332 -v bloop:/data bloop
# Everything it keeps is in /data, the generated secret included. docs/deploy.md has the rest.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/
RUN python -m venv /opt/bloop \
    && /opt/bloop/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE gunicorn.conf.py ./
COPY bloop bloop
COPY workers workers
COPY templates templates
COPY systemd systemd
RUN /opt/bloop/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 5332 --no-create-home --home-dir /data bloop \
    && install --directory --owner bloop --group bloop --mode 0700 /data
COPY --from=build /opt/bloop /opt/bloop
ENV PATH=/opt/bloop/bin:$PATH \
    PYTHONUNBUFFERED=1
USER bloop
WORKDIR /data
VOLUME /data
EXPOSE 5332
# `up` is made for being process 1: it passes signals on, buries orphans and stores what is in memory before it ends.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5332/health', timeout=4)"]
ENTRYPOINT ["bloop"]
CMD ["up", "--data", "/data"]
