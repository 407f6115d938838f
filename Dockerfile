# syntax=docker/dockerfile:1
# docs/image.md says how to build and run this, and what rebuilds what.
ARG PYTHON_VERSION=3.11
ARG NODE_VERSION=24
# "@sha256:…" pins a base to its content.
ARG PYTHON_DIGEST=
ARG NODE_DIGEST=
# medgemma: downloaded and converted for CPUs; none: the built-in model only.
ARG WITH_MODEL=medgemma
# More of pyproject.toml's optional dependencies, by comma: a model behind a server, the record of
# answers, traces, callers known by identity tokens.
ARG EXTRAS=openai,audit,otel,oidc


FROM node:${NODE_VERSION}-slim${NODE_DIGEST} AS page
WORKDIR /build/frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN --mount=type=cache,id=healer-npm,target=/root/.npm \
    npm ci --ignore-scripts --no-audit --no-fund \
    && npm sbom --sbom-format=cyclonedx --omit=dev > /build/page.cdx.json
COPY docs/openapi.json /build/docs/
COPY frontend ./
RUN npm run build


FROM python:${PYTHON_VERSION}-slim${PYTHON_DIGEST} AS base
ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore


# Exact versions by purpose. Later stages copy the lists, so that a pin none of them uses, or
# another line of pyproject.toml, rebuilds nothing else.
FROM base AS pins
WORKDIR /pins
ARG WITH_MODEL
ARG EXTRAS
ARG PIP_EXTRA_INDEX_URL
COPY pyproject.toml constraints.txt scripts/image/pins.py ./
RUN --mount=type=cache,id=healer-pip,target=/root/.cache/pip \
    python3 pins.py "$WITH_MODEL" "$EXTRAS"


FROM base AS dependencies
ARG PIP_EXTRA_INDEX_URL
COPY --from=pins /pins/runtime.txt /pins/
RUN --mount=type=cache,id=healer-pip,target=/root/.cache/pip \
    python3 -m venv --without-pip /opt/venv \
    && python3 -m pip --python /opt/venv/bin/python install --no-deps -r /pins/runtime.txt


# Whatever compiles, and the kernels in C, which the model's conversion is verified with. Healer has
# none for other processors than x86-64's.
FROM base AS compiler
# Debian drops a version once it is mended.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=pins /pins/build.txt /pins/
RUN --mount=type=cache,id=healer-pip,target=/root/.cache/pip \
    python3 -m venv /opt/build && /opt/build/bin/pip install -r /pins/build.txt
WORKDIR /build
COPY hatch_build.py ./
COPY src/healer/engines/openvino/*.[ch] src/healer/engines/openvino/
RUN [ "$(uname -m)" != x86_64 ] || /opt/build/bin/python -c \
    'import hatch_build as h, pathlib, sys; sys.exit(h.compile_kernel(pathlib.Path(), (h.KERNELS,)))'


# The model, in a stage that only what downloads and converts it can touch.
FROM base AS model
ARG PIP_EXTRA_INDEX_URL
COPY --from=pins /pins/tools.txt /pins/
RUN --mount=type=cache,id=healer-pip,target=/root/.cache/pip \
    python3 -m venv --without-pip /opt/tools \
    && python3 -m pip --python /opt/tools/bin/python install --no-deps -r /pins/tools.txt
WORKDIR /build
COPY src/healer/__init__.py src/healer/display.py src/healer/download.py src/healer/hardware.py \
     healer/
COPY src/healer/errors healer/errors
COPY src/healer/files healer/files
COPY src/healer/images healer/images
COPY src/healer/quality healer/quality
COPY src/healer/questions healer/questions
COPY src/healer/settings healer/settings
COPY src/healer/weights healer/weights
COPY src/healer/engines/__init__.py src/healer/engines/base.py src/healer/engines/spec.py \
     healer/engines/
COPY src/healer/engines/vlm healer/engines/vlm
COPY src/healer/engines/transformers healer/engines/transformers
COPY src/healer/engines/openvino healer/engines/openvino
COPY --from=compiler /build/src/healer/engines/openvino healer/engines/openvino
COPY src/healer/screening/__init__.py src/healer/screening/calibration.py \
     src/healer/screening/screener.py src/healer/screening/verdict.py \
     src/healer/screening/wide_field.py healer/screening/
COPY src/healer/conversion healer/conversion
COPY scripts/image/acquire ./
ARG WITH_MODEL
ARG MODEL_ID
ARG MODEL_REVISION
ARG MODEL_WEIGHTS=int8
ARG HF_ENDPOINT
# The token is a file while this runs, and nowhere afterwards. The cache keeps the download and the
# conversion for the next time that this layer has to be made here; it is in no layer itself.
RUN --mount=type=secret,id=hf_token \
    --mount=type=cache,id=healer-model,target=/cache,sharing=locked \
    ./acquire "$WITH_MODEL" "$MODEL_WEIGHTS" /cache /model


FROM compiler AS code
RUN python3 -m venv --without-pip /opt/venv
COPY LICENSE NOTICE README.md hatch_build.py pyproject.toml ./
COPY src src
COPY --from=page /build/src/healer/server/page src/healer/server/page
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python3 -m pip --python /opt/venv/bin/python install --no-deps --prefix /staged /wheels/*.whl


# What is inside: Python, Debian and npm packages, and the model.
FROM dependencies AS sbom
RUN --mount=type=cache,id=healer-pip,target=/root/.cache/pip \
    python3 -m venv /opt/sbom && /opt/sbom/bin/pip install cyclonedx-bom==7.5.0
COPY --from=page /build/page.cdx.json /build/
COPY --from=model /record /build/model
COPY scripts/image/sbom.py /build/
RUN /opt/sbom/bin/cyclonedx-py environment /opt/venv --output-reproducible -o /build/python.cdx.json \
    && /opt/sbom/bin/python /build/sbom.py /build > /build/sbom.cdx.json


# From what changes least to what changes most.
FROM base AS runtime
ARG MODEL_DIR=/opt/healer/model
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=model /model ${MODEL_DIR}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    HEALER_HOST=0.0.0.0 \
    PORT=8080 \
    MODEL_DIR=${MODEL_DIR}
COPY --from=sbom /build/sbom.cdx.json /usr/share/doc/healer/
COPY LICENSE NOTICE /usr/share/doc/healer/
COPY --from=code /staged /opt/venv
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10m \
    CMD ["python3", "-m", "healer.server.healthcheck"]
ARG VERSION=unreleased
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Healer" \
      org.opencontainers.image.description="Colorectal-cancer screening questions from H&E tiles. Research use only; not a medical device." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["healer"]
CMD ["serve"]
