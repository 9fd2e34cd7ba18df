# A node of Longshore. The wheel is built from this checkout; everything it needs has the versions and hashes
# of uv.lock.
FROM python:3.13.9-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /source

# The locked dependencies first: they change less often than the sources.
COPY pyproject.toml uv.lock ./
RUN uv export --frozen --no-dev --no-emit-project --extra server --extra tracing --output-file /requirements.txt \
 && uv venv /opt/longshore \
 && VIRTUAL_ENV=/opt/longshore uv pip install --no-cache --require-hashes --requirement /requirements.txt

COPY . .
RUN uv build --wheel --out-dir /wheels \
 && VIRTUAL_ENV=/opt/longshore uv pip install --no-cache --no-deps /wheels/longshore-*.whl \
 && install -m 0644 deploy/healthcheck.py /opt/longshore/healthcheck.py


FROM python:3.13.9-slim-bookworm
RUN groupadd --system --gid 7420 longshore \
 && useradd --system --uid 7420 --gid longshore --home-dir /var/lib/longshore --create-home longshore
COPY --from=build /opt/longshore /opt/longshore
ENV PATH=/opt/longshore/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LONGSHORE_DATA_DIR=/var/lib/longshore
USER longshore
WORKDIR /var/lib/longshore
VOLUME ["/var/lib/longshore"]
EXPOSE 7420

# A node in its default settings listens on the container's loopback only: LONGSHORE_LISTEN with a certificate
# and access control opens it, see docker-compose.yml. The check reads the same variables.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "/opt/longshore/healthcheck.py"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["longshore"]
CMD ["serve"]
