#!/usr/bin/env bash
# Run a dbt Cloud job with cURL, and wait for it: exit code 0 only when the run succeeded.
#
#   DBT_CLOUD_HOST, DBT_CLOUD_ACCOUNT_ID, DBT_CLOUD_TOKEN   where, and who
#   JOB_NAME, CAUSE, SECONDS_TO_WAIT                        what, why, how long at most
#
# The last line of the output is the run's number, for Airflow's XCom.
# Needs curl and python3, which reads and writes the JSON.
set -euo pipefail

readonly api="https://$DBT_CLOUD_HOST/api/v2/accounts/$DBT_CLOUD_ACCOUNT_ID"
run=
run_id=

# The token goes to cURL through a pipe: on its command line, everybody on this machine could read
# it in the list of processes. `printf` is built into the shell, so it has no command line.
# An answer of 400 or more is an error, and its body says why; so is a redirect, which is not
# followed, whatever ~/.curlrc says: the token would go there too.
call() {
    printf 'header = "Authorization: Token %s"\n' "$DBT_CLOUD_TOKEN" |
        curl --config - --silent --show-error --fail-with-body --max-time 30 \
            --location --max-redirs 0 \
            ${REQUESTS_CA_BUNDLE:+--cacert "$REQUESTS_CA_BUNDLE"} \
            --header 'Content-Type: application/json' "$@"
}

# Only reading is repeated: a POST whose answer was lost may have started a run.
read_from() { call --retry 5 --retry-delay 2 --get "$@"; }

# field KEY: the value of a key of `data`.
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)["data"][sys.argv[1]])' "$1"; }

job_id() {
    local found
    found=$(read_from "$api/jobs/" --data-urlencode "name__icontains=$JOB_NAME") || return
    python3 -c '
import json, sys
ids = [job["id"] for job in json.load(sys.stdin)["data"] if job["name"] == sys.argv[1]]
if len(ids) != 1:
    sys.exit(f"error: {len(ids)} jobs are called {sys.argv[1]}; one was expected")
print(ids[0])' "$JOB_NAME" <<<"$found"
}

cancel() {
    trap - TERM INT
    run_id=${run_id:-$(field id <<<"$run" 2>/dev/null)} || run_id=
    [[ -z $run_id ]] || call --request POST "$api/runs/$run_id/cancel/" >/dev/null
    printf 'cancelled run %s\n' "${run_id:-that was not started yet}" >&2
    exit 1
}
trap cancel TERM INT

job=$(job_id)
body=$(python3 -c 'import json, sys; print(json.dumps({"cause": sys.argv[1]}))' "$CAUSE")
# Whoever tells this script to stop must not part the request from its answer: only that has the
# run's number. The shell itself acts when the command has ended.
run=$(trap '' TERM INT && call --data "$body" "$api/jobs/$job/run/") || {
    printf '%s\nerror: dbt Cloud did not start job %s\n' "$run" "$job" >&2
    exit 2
}
run_id=$(field id <<<"$run")
printf 'run %s: %s\n' "$run_id" "$(field href <<<"$run")"

while ((SECONDS < SECONDS_TO_WAIT)); do
    run=$(read_from "$api/runs/$run_id/")
    case $(field status <<<"$run") in
        10) printf 'success\n%s\n' "$run_id" && exit 0 ;;
        20 | 30)
            printf '%s: %s\n' "$(field status_humanized <<<"$run")" "$(field status_message <<<"$run")" >&2
            exit 1
            ;;
    esac
    sleep 1 &
    wait $! # unlike sleep itself, wait lets the trap act at once
done
printf 'error: run %s has not ended in %s s\n' "$run_id" "$SECONDS_TO_WAIT" >&2
cancel
