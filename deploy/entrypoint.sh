#!/bin/sh
# One image, several roles: the first word chooses what this container is.
#   web | live | worker [QUEUE...] | cron | migrate | static | alive PORT | manage COMMAND...
set -eu
cd "$(dirname "$0")/.."

role=${1:-web}
[ $# -eq 0 ] || shift

case $role in
web)
    exec granian --interface wsgi --host "${HOST:-0.0.0.0}" --port "${PORT:-8000}" \
        --workers "${WEB_WORKERS:-2}" --blocking-threads 2048 --no-ws \
        --backlog 8192 --backpressure 4096 --respawn-failed-workers --workers-kill-timeout 20 config.wsgi:application
    ;;
live)
    exec python -m config.live --host "${HOST:-0.0.0.0}" --port "${LIVE_PORT:-8001}"
    ;;
worker)
    [ $# -gt 0 ] || set -- purchases default documents
    exec python manage.py rqworker --worker-class config.worker.FoyerWorker "$@"
    ;;
cron)
    exec python manage.py cron
    ;;
migrate)
    exec python manage.py migrate --no-input
    ;;
static)
    exec python manage.py collectstatic --no-input --verbosity 0
    ;;
alive)
    exec python - "${1:-8000}" <<'PYTHON'
import os, sys, urllib.request
from urllib.parse import urlsplit

site = urlsplit(os.environ.get("SITE_URL") or "http://localhost")
headers = {"Host": site.netloc, "X-Forwarded-Proto": site.scheme}  # as the proxy in front of us would send it
request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/livez", headers=headers)
urllib.request.urlopen(request, timeout=4).close()
PYTHON
    ;;
manage)
    exec python manage.py "$@"
    ;;
*)
    echo "The role \"$role\" does not exist: web, live, worker, cron, migrate, static, alive, manage." >&2
    exit 64
    ;;
esac
