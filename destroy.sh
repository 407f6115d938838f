#!/usr/bin/env bash
# Remove what build.sh and deploy.sh made: service, images, token, accounts, bucket.
#
#   export PROJECT_ID=my-project
#   ./destroy.sh [--dry-run] [--yes]
#
# It asks first, unless --yes. A repository or a secret that was there before is kept.
# PROJECT_ID, REGION, SERVICE_NAME, REPOSITORY_NAME and SECRET_NAME are read as deploy.sh reads them.

set -euo pipefail
cd "$(dirname "$0")"
. deploy/lib.sh

sure=

main() {
    read_arguments "$@"
    check_names
    check_login
    ask
    remove "the service $SERVICE_NAME" run services VERB "$SERVICE_NAME" --region="$REGION"
    remove_ours "the repository $REPOSITORY_NAME" artifacts repositories VERB "$REPOSITORY_NAME" --location="$REGION"
    remove_ours "the secret $SECRET_NAME" secrets VERB "$SECRET_NAME"
    remove_bucket
    remove_account healer-build "$BUILD_ACCOUNT"
    remove_account healer-run "$RUN_ACCOUNT"
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --dry-run) dry_run=yes ;;
            --yes) sure=yes ;;
            -h | --help) usage; exit ;;
            *) fail "destroy.sh knows no argument $1: see ./destroy.sh --help." ;;
        esac
        shift
    done
}

ask() {
    [ -z "$sure$dry_run" ] || return 0
    local answer=
    say "This removes $SERVICE_NAME, its images, the token and the build's bucket from $PROJECT_ID."
    printf 'Type the project id to go on: ' >&2
    read -r answer || true
    [ "$answer" = "$PROJECT_ID" ] || fail "Nothing was removed, because the answer was not $PROJECT_ID."
}

# remove WHAT ARGUMENTS...: VERB stands where gcloud expects `describe` or `delete`.
remove() {
    local what=$1
    shift
    if [ -n "$dry_run" ] || there "${@/#VERB/describe}"; then
        change "Could not remove $what: ask the project's owner, then run ./destroy.sh again." "${@/#VERB/delete}"
        [ -n "$dry_run" ] || say "Removed $what."
    else
        say "There is no $what."
    fi
}

# The same, for what others may have made: only what carries build.sh's label goes.
remove_ours() {
    local what=$1 label=
    shift
    label=$([ -n "$dry_run" ] || cloud "${@/#VERB/describe}" --format="value(labels.${LABEL%=*})" 2>/dev/null || true)
    if [ -n "$dry_run" ] || [ "$label" = "${LABEL#*=}" ]; then
        remove "$what" "$@"
    else
        say "Kept $what: build.sh did not make it."
    fi
}

remove_bucket() {
    if [ -n "$dry_run" ] || there storage buckets describe "$BUCKET"; then
        change "Could not remove the bucket $BUCKET: ask the project's owner, then run ./destroy.sh again." \
            storage rm --recursive "$BUCKET"
    fi
}

remove_account() {
    local name=$1 account=$2
    [ "$name" = healer-run ] || ungrant "$account"
    remove "the account $name" iam service-accounts VERB "$account"
}

# Left behind, it would name an account that is no more.
ungrant() {
    [ -n "$dry_run" ] || there iam service-accounts describe "$1" || return 0
    change "Could not take back the role of $1: ask the project's owner, then run ./destroy.sh again." \
        projects remove-iam-policy-binding "$PROJECT_ID" --member="serviceAccount:$1" --role=roles/logging.logWriter --condition=None
}

main "$@"
