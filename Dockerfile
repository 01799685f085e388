# The image of ws-monitor. docs/kubernetes.md says how to build it, and how to pin its base by digest.
#
# No HEALTHCHECK: Kubernetes ignores it, and asks /-/healthy and /-/ready itself.
# Nothing that runs in it needs a shell, a package manager, or a place to write.
ARG PYTHON=3.13.15-slim-trixie

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1 \
    SOURCE_DATE_EPOCH=315532800
WORKDIR /src

# The locks alone, first: while they stay the same, so do these layers.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/ws-monitor \
 && python -m venv --without-pip /opt/build \
 && pip --python /opt/ws-monitor install --require-hashes --no-deps --only-binary :all: \
      --no-compile --requirement requirements.lock \
 && pip --python /opt/build install --require-hashes --no-deps --only-binary :all: \
      --requirement requirements-build.lock

COPY pyproject.toml README.md LICENSE ./
COPY monitor monitor
# Byte code that names no file's time: it is the same in each build, and never made at run time.
RUN pip --python /opt/build wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/ws-monitor install --no-index --no-deps --no-compile dist/*.whl \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/ws-monitor/lib

FROM python:${PYTHON}
RUN ["pip", "uninstall", "--yes", "--quiet", "--root-user-action=ignore", "pip"]
COPY --from=build /opt/ws-monitor /opt/ws-monitor
ENV PATH=/opt/ws-monitor/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 10440
ENTRYPOINT ["/opt/ws-monitor/bin/ws-monitor"]
CMD ["run", "--config", "/etc/ws-monitor/config.yaml"]

# Last, because they change with each build.
ARG PYTHON
ARG VERSION=0.1.0
ARG REVISION
ARG CREATED
ARG SOURCE
LABEL org.opencontainers.image.title="ws-monitor" \
      org.opencontainers.image.description="Keeps WebSocket connections open, beats on them, and tells Prometheus how every echo fared." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:${PYTHON}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
