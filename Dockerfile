# One image for CPUs: the server, the two small models, nothing that runs as root.
#
#   docker build -t hybrid .
#   docker build -t hybrid --build-arg PIP_EXTRA_INDEX_URL=INDEX_OF_CPU_BUILDS_OF_TORCH .
#
# Without that argument a build of torch for GPUs may come along, which is gigabytes larger and no faster here.
FROM python:3.11-slim-bookworm AS install
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/hybrid
COPY pyproject.toml README.md LICENSE ./
COPY .ci/constraints.txt .ci/setup.sh .ci/
COPY hybrid hybrid
# the same pins and models as in every other place
RUN bash .ci/setup.sh gguf,otel,serve

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin hybrid \
  && install -d -o hybrid -g hybrid /data /data/indexes /data/cache /data/documents
COPY --from=install /opt/hybrid /opt/hybrid
ENV PATH=/opt/hybrid/.venv/bin:$PATH \
  PYTHONUNBUFFERED=1 \
  PYTHONDONTWRITEBYTECODE=1 \
  OMP_WAIT_POLICY=PASSIVE \
  HF_HUB_OFFLINE=1 \
  HYBRID_CACHE=/data/cache \
  HYBRID_INDEXES=/data/indexes \
  HYBRID_SERVE__HOST=0.0.0.0 \
  HYBRID_SERVE__PORT=8765
WORKDIR /data
USER 10001
VOLUME ["/data"]
EXPOSE 8765
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8765/healthz', timeout=4).read()"]
# beyond loopback it starts with a token only: -e HYBRID_TOKEN=...
ENTRYPOINT ["hybrid"]
CMD ["serve"]
