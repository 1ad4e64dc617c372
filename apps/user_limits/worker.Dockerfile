# A worker of the user limits: docker build --file apps/user_limits/worker.Dockerfile --tag user-limits-worker .
FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /venv
COPY requirements/worker.txt requirements/
RUN /venv/bin/pip install --no-cache-dir --no-deps --require-hashes --requirement requirements/worker.txt
COPY pyproject.toml LICENSE ./
COPY src/ src/
COPY apps/user_limits/pyproject.toml apps/user_limits/
COPY apps/user_limits/src/ apps/user_limits/src/
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . ./apps/user_limits

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home worker
COPY --from=build /venv /venv
USER 10001
ENV KINESIS_HANDLER_APP=user_limits.wiring:application PYTHONUNBUFFERED=1
STOPSIGNAL SIGTERM
ENTRYPOINT ["/venv/bin/kinesis-handler", "worker"]
