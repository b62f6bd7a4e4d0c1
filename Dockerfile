# One image for every role; deploy/entrypoint.sh chooses: web, live, worker, cron, migrate.

FROM python:3.12-slim-bookworm AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements/base.txt /tmp/base.txt
RUN /opt/venv/bin/pip install --no-deps --only-binary :all: --require-hashes -r /tmp/base.txt

FROM python:3.12-slim-bookworm AS house
# Pango and its company draw the PDF tickets; names in other scripts than our own typefaces have are set in DejaVu
# (Greek, Cyrillic, Arabic, Hebrew), FreeFont (Thai, Devanagari, Tamil, …) and Droid (Chinese, Japanese, Korean).
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
        fonts-dejavu-core fonts-freefont-ttf fonts-droid-fallback \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin foyer \
    && install -d -o foyer -g foyer -m 0700 /var/lib/foyer
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app/site:/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings FOYER_ENV=production FOYER_VAR=/var/lib/foyer STATIC_ROOT=/app/staticfiles
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY manage.py pyproject.toml ./
COPY deploy/entrypoint.sh deploy/entrypoint.sh
COPY themes themes
COPY site site
COPY apps apps
# Settings want these named; collecting files uses none of them, and none of them stays in the image.
RUN SECRET_KEY=only-to-build DATABASE_URL=postgres://build@localhost/build REDIS_URL=redis://localhost/0 \
    deploy/entrypoint.sh static \
    && python -m compileall -q apps site

USER foyer
VOLUME /var/lib/foyer
EXPOSE 8000 8001
ENTRYPOINT ["/app/deploy/entrypoint.sh"]
CMD ["web"]
