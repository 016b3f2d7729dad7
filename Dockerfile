# One file for every image. The stages that somebody asks for:
#
#   astro             what `astro dev` and `astro deploy` build: the first FROM and the last stage
#   airflow           what docker-compose.yaml runs; DAGs are mounted, so an edit rebuilds nothing
#   airflow-celery    the same with the CeleryExecutor, for compose.celery.yaml
#   airflow-deploy    the same with the DAGs inside, for deploy/
#   local-dbt-cloud   the local dbt Cloud, dbt Core, and what the loader of the flights needs
#
# What is in packages/ is installed in the last layer of each, so that an edit there rebuilds one.
#
# No stage sees a secret: .dockerignore lets in by name, and secrets are made at the first start.

# Astro judges by this image, and its ONBUILD steps install packages.txt and requirements.txt.
FROM astrocrpublic.azurecr.io/runtime:3.3-2 AS astro-runtime


# uv builds the packages by itself, and the environments, and stays behind.
FROM python:3.13-slim-trixie AS uv
RUN --mount=type=bind,source=requirements/installer.lock,target=/installer.lock \
    --mount=type=cache,target=/root/.cache \
    python -m venv /uv && /uv/bin/pip install --quiet --require-hashes --requirement /installer.lock
ENV UV_LINK_MODE=copy UV_CACHE_DIR=/root/.cache/uv

FROM uv AS wheels
COPY packages /packages
RUN for name in dbt-cloud-api airflow-dbt-cloud local-dbt-cloud local-airflow; do \
        /uv/bin/uv build --quiet --offline --wheel --out-dir /wheels "/packages/$name" || exit 1; \
    done


FROM apache/airflow:slim-3.3.2-python3.13 AS airflow-packages
# Compiled once here, or every process compiles Airflow anew: 6 s instead of 2.
# Templates that are no Python fail, which is none of our business.
RUN python -m compileall -q -j 0 "$VIRTUAL_ENV/lib" || true
COPY --chmod=755 container/with-secrets container/is-alive container/worker-is-alive /usr/local/bin/
# What two of the DAGs run beside Airflow, whose packages disagree with theirs.
RUN --mount=type=bind,source=requirements/dbt.lock,target=/tmp/locked/dbt.lock \
    --mount=type=bind,source=requirements/training.lock,target=/tmp/locked/training.lock \
    --mount=type=cache,target=/tmp/uv,uid=50000,gid=0 \
    for name in dbt training; do \
        uv venv --quiet --python "$(command -v python)" "/home/airflow/environments/$name" \
        && uv pip install --quiet --compile-bytecode --cache-dir /tmp/uv --link-mode copy \
            --require-hashes --python "/home/airflow/environments/$name/bin/python" \
            --requirements "/tmp/locked/$name.lock" \
        || exit 1; \
    done
# Last, so that an edit of requirements.txt rebuilds this layer and no other.
RUN --mount=type=bind,source=requirements.txt,target=/tmp/locked/requirements.txt \
    --mount=type=bind,source=requirements/airflow.lock,target=/tmp/locked/airflow.lock \
    --mount=type=bind,source=container/image_constraints.py,target=/tmp/locked/image_constraints.py \
    --mount=type=cache,target=/tmp/uv,uid=50000,gid=0 \
    cd /tmp/locked \
    && python image_constraints.py /home/airflow/constraints.txt airflow.lock requirements.txt \
        > /tmp/constraints.txt \
    && uv pip install --quiet --compile-bytecode --cache-dir /tmp/uv --link-mode copy \
        --constraints /tmp/constraints.txt --requirements requirements.txt debugpy \
    && rm /tmp/constraints.txt
ENV PYTHONPATH=/opt/airflow
ENTRYPOINT ["/usr/bin/dumb-init", "--", "with-secrets", "/entrypoint"]


FROM airflow-packages AS airflow
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    uv pip install --quiet --no-cache --no-deps --compile-bytecode --link-mode copy \
        /wheels/dbt_cloud_api-*.whl /wheels/airflow_dbt_cloud-*.whl /wheels/local_airflow-*.whl


FROM airflow-packages AS airflow-celery
RUN --mount=type=bind,source=requirements/celery.lock,target=/tmp/locked/celery.lock \
    --mount=type=bind,source=container/image_constraints.py,target=/tmp/locked/image_constraints.py \
    --mount=type=cache,target=/tmp/uv,uid=50000,gid=0 \
    cd /tmp/locked \
    && python image_constraints.py /home/airflow/constraints.txt celery.lock > /tmp/constraints.txt \
    && uv pip install --quiet --compile-bytecode --cache-dir /tmp/uv --link-mode copy \
        --constraints /tmp/constraints.txt 'apache-airflow-providers-celery' redis \
    && rm /tmp/constraints.txt
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    uv pip install --quiet --no-cache --no-deps --compile-bytecode --link-mode copy \
        /wheels/dbt_cloud_api-*.whl /wheels/airflow_dbt_cloud-*.whl /wheels/local_airflow-*.whl


FROM airflow-celery AS airflow-deploy
COPY dags /opt/airflow/dags
COPY include /opt/airflow/include
COPY plugins /opt/airflow/plugins
COPY dbt_project /opt/airflow/dbt_project
COPY dbt_cloud_jobs.yml /opt/airflow/


# dbt and the server disagree on versions, so each has an environment of its own; a stage for each,
# so that a change of one lock file rebuilds one of them.
FROM uv AS dbt-environment
RUN --mount=type=bind,source=requirements/dbt.lock,target=/dbt.lock --mount=type=cache,target=/root/.cache \
    /uv/bin/uv venv --quiet /opt/dbt && /uv/bin/uv pip install --quiet --compile-bytecode \
        --require-hashes --python /opt/dbt/bin/python --requirements /dbt.lock

FROM uv AS ingestion-environment
RUN --mount=type=bind,source=requirements/ingestion.lock,target=/ingestion.lock --mount=type=cache,target=/root/.cache \
    /uv/bin/uv venv --quiet /opt/ingestion && /uv/bin/uv pip install --quiet --compile-bytecode \
        --require-hashes --python /opt/ingestion/bin/python --requirements /ingestion.lock

FROM uv AS server-environment
RUN --mount=type=bind,source=requirements/local-dbt-cloud.lock,target=/server.lock --mount=type=cache,target=/root/.cache \
    /uv/bin/uv venv --quiet /opt/server && /uv/bin/uv pip install --quiet --compile-bytecode \
        --require-hashes --python /opt/server/bin/python --requirements /server.lock


FROM python:3.13-slim-trixie AS local-dbt-cloud
# git: a run may name a branch or a commit, and dbt fetches packages with it.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory '*' \
    && install -d -m 0775 -o 50000 -g 0 /var/lib/local_dbt_cloud
COPY --from=dbt-environment /opt/dbt /opt/dbt
COPY --from=ingestion-environment /opt/ingestion /opt/ingestion
COPY --from=server-environment /opt/server /opt/server
COPY --chmod=755 container/with-secrets /usr/local/bin/
ENV PATH=/opt/server/bin:$PATH HOME=/tmp
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    --mount=type=bind,from=uv,source=/uv,target=/uv \
    for environment in server ingestion; do \
        /uv/bin/uv pip install --quiet --no-cache --no-deps --compile-bytecode --link-mode copy \
            --python "/opt/$environment/bin/python" /wheels/dbt_cloud_api-*.whl || exit 1; \
    done \
    && /uv/bin/uv pip install --quiet --no-cache --no-deps --compile-bytecode --link-mode copy \
        --python /opt/server/bin/python /wheels/local_dbt_cloud-*.whl /wheels/local_airflow-*.whl
WORKDIR /srv
USER 50000:0
EXPOSE 8443
ENTRYPOINT ["with-secrets"]
CMD ["python", "-m", "local_dbt_cloud", "serve"]


FROM astro-runtime AS astro
# ONBUILD has copied everything. requirements.txt has what these need: none may name a local path.
# With uv, as the runtime installs requirements.txt, and into the Python that `airflow` runs in.
USER root
RUN uv pip install --quiet --no-cache --no-deps --break-system-packages \
        --python "$(sed -n '1s/^#!//p' "$(command -v airflow)")" \
        ./packages/dbt-cloud-api ./packages/airflow-dbt-cloud \
    && rm -rf packages
USER astro
# The examples are a second folder of DAGs. Whoever deletes examples/ may delete this too.
ENV PYTHONPATH=/usr/local/airflow:/usr/local/airflow/examples/plugins
ENV AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST='[{"name": "dags-folder", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {}}, {"name": "examples", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": "/usr/local/airflow/examples/dags"}}]'
