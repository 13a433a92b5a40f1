# One image for API, worker and the administrative commands: `docker run baton api`, `… worker`, `… migrate`.
# `baton dev` is not in it: its embedded PostgreSQL is an extra of its own.

# A tag that does not move. To pin the bytes as well: --build-arg PYTHON=python:3.13.9-slim-trixie@sha256:…
ARG PYTHON=python:3.13.9-slim-trixie

FROM ${PYTHON} AS build
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/baton
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
# Dependencies first: they change less often than the code.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --extra cli --extra redis --no-install-project
COPY README.md LICENSE worker.py ./
COPY api api
COPY activities activities
COPY baton baton
COPY workflows workflows
RUN uv sync --frozen --no-dev --extra cli --extra redis --no-editable

FROM ${PYTHON}
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin baton
COPY --from=build /opt/baton /opt/baton
ENV PATH=/opt/baton/bin:$PATH PYTHONUNBUFFERED=1
USER baton
WORKDIR /tmp
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["baton"]
CMD ["--help"]
