#!/usr/bin/env bash
# Serve the image on Cloud Run, for callers with the role roles/run.invoker only.
#
#   export PROJECT_ID=my-project
#   ./deploy.sh [--dry-run] [--allow-unauthenticated-i-understand]
#
# --dry-run asks and changes nothing: the manifest goes to standard output, what would be run to
# standard error. --allow-unauthenticated-i-understand lets anyone on the internet send images;
# without it, such access is taken away again where a service had it.
#
# PROJECT_ID       Google Cloud project
# REGION           europe-west1
# SERVICE_NAME     healer-medgemma-service
# REPOSITORY_NAME  healer-medgemma
# IMAGE            the newest image that build.sh made
# MIN_INSTANCES    1; with 0 nothing runs or costs while idle, and the first answer waits for a start
# MAX_INSTANCES    3
# CONCURRENCY      4, requests that one instance takes at a time: one is answered, the others wait
# GPU              none, or l4 with an IMAGE of your own that uses it: build.sh's answers on the CPU
# CPU, MEMORY      4 and 8Gi; with GPU=l4 4 and 16Gi, the least that Cloud Run allows

set -euo pipefail
cd "$(dirname "$0")"
. deploy/lib.sh

: "${IMAGE:=}"
: "${MIN_INSTANCES:=1}"
: "${MAX_INSTANCES:=3}"
: "${CONCURRENCY:=4}"
: "${GPU:=none}"
: "${CPU:=4}"
: "${MEMORY:=}"
public=
scratch=

main() {
    read_arguments "$@"
    check_names
    check_sizes
    check_login
    enable_apis iam.googleapis.com run.googleapis.com
    find_image
    ensure_account healer-run "Runs Healer; may do nothing else"
    [ -n "$public" ] || close_to_the_public
    apply
    [ -z "$public" ] || open_to_the_public
    [ -n "$dry_run" ] || say_what_to_try
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --dry-run) dry_run=yes ;;
            --allow-unauthenticated-i-understand) public=yes ;;
            -h | --help) usage; exit ;;
            *) fail "deploy.sh knows no argument $1: see ./deploy.sh --help." ;;
        esac
        shift
    done
}

check_sizes() {
    must_match GPU '(none|l4)' "give none or l4"
    [ -n "$MEMORY" ] || { [ "$GPU" = l4 ] && MEMORY=16Gi || MEMORY=8Gi; }
    must_match MIN_INSTANCES '[0-9]{1,4}' "give a number"
    must_match MAX_INSTANCES '[1-9][0-9]{0,3}' "give a number of at least 1"
    must_match CONCURRENCY '([2-9]|[1-9][0-9]{1,2})' "give a number from 2 to 999"
    must_match CPU '[1-8]' "give a number from 1 to 8"
    must_match MEMORY '[1-9][0-9]*Gi' "give GiB, such as 8Gi"
    [ "$MIN_INSTANCES" -le "$MAX_INSTANCES" ] ||
        fail "MIN_INSTANCES=$MIN_INSTANCES is more than MAX_INSTANCES=$MAX_INSTANCES: lower the one or raise the other."
    [ "$GPU" = none ] || [ -n "$IMAGE" ] ||
        fail "GPU=l4 needs IMAGE, an image whose engine uses CUDA: the one that build.sh makes answers on the CPU (docs/deploy.md, \"An L4\")."
    [ "$GPU" = none ] || { [ "$CPU" -ge 4 ] && [ "${MEMORY%Gi}" -ge 16 ]; } ||
        fail "An L4 needs at least CPU=4 and MEMORY=16Gi: raise them, or leave them unset."
}

# By digest: a tag can move, and Cloud Run would not notice that it has.
find_image() {
    if [ -z "$IMAGE" ]; then
        IMAGE=$IMAGE_NAME:latest
        [ -n "$dry_run" ] || IMAGE=$IMAGE_NAME@$(newest_digest)
    fi
    must_match IMAGE '[a-z0-9][A-Za-z0-9._/:-]*(@sha256:[0-9a-f]{64})?' "give the image's full name"
}

newest_digest() {
    cloud artifacts docker images describe "$IMAGE_NAME:latest" --format='value(image_summary.digest)' 2>/dev/null ||
        fail "There is no image $IMAGE_NAME:latest: run ./build.sh first, or set IMAGE."
}

# shellcheck disable=SC2034  # what is filled in is read by its name
render() {
    local name edits=(-e '/^#/d')
    local QUEUE=$((CONCURRENCY - 1)) UNAUTHENTICATED=checked-in-front
    [ -z "$public" ] || UNAUTHENTICATED=anyone-may-ask
    for name in SERVICE_NAME IMAGE RUN_ACCOUNT MIN_INSTANCES MAX_INSTANCES CONCURRENCY QUEUE UNAUTHENTICATED CPU MEMORY; do
        edits+=(-e "s|\${$name}|${!name}|")
    done
    [ "$GPU" = l4 ] || edits+=(-e '/# L4 only$/d')
    sed "${edits[@]}" deploy/service.yaml
}

apply() {
    if [ -n "$dry_run" ]; then
        render
        change "" run services replace service.yaml --region="$REGION"
        return
    fi
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    render > "$scratch/service.yaml"
    cloud run services replace "$scratch/service.yaml" --region="$REGION" >&2 ||
        fail "Cloud Run did not take the service: the reason is above, the container's own words are under 'gcloud run services logs read $SERVICE_NAME --project=$PROJECT_ID --region=$REGION', and what served before still serves."
}

close_to_the_public() {
    local everyone members
    members=$([ -n "$dry_run" ] || cloud run services get-iam-policy "$SERVICE_NAME" --region="$REGION" --format=json 2>/dev/null || true)
    for everyone in allUsers allAuthenticatedUsers; do
        [[ $members != *"\"$everyone\""* ]] || {
            say "Taking away the access of $everyone to $SERVICE_NAME: it was not asked for with --allow-unauthenticated-i-understand."
            access remove "$everyone"
        }
    done
}

open_to_the_public() {
    say "Anyone on the internet can now send images to $SERVICE_NAME, at your cost, and nobody is asked who they are."
    access add allUsers
}

access() {
    change "Who may call $SERVICE_NAME could not be changed: ask the project's owner for the role roles/run.admin." \
        run services "$1-iam-policy-binding" "$SERVICE_NAME" --region="$REGION" --member="$2" --role=roles/run.invoker
}

say_what_to_try() {
    local url identity=
    url=$(cloud run services describe "$SERVICE_NAME" --region="$REGION" --format='value(status.url)')
    [ -n "$public" ] || identity="-H \"Authorization: Bearer \$(gcloud auth print-identity-token)\" "
    printf '%s\n' "$url"
    say "Try it:"
    say "  curl ${identity}-F image_file=@tile.png $url/predict"
}

main "$@"
