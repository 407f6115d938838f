# shellcheck shell=bash disable=SC2034  # the scripts read what is set here
# What build.sh, deploy.sh and destroy.sh share. Sourced by them, never run.

: "${REGION:=europe-west1}"
: "${REPOSITORY_NAME:=healer-medgemma}"
: "${SERVICE_NAME:=healer-medgemma-service}"
: "${SECRET_NAME:=healer-hf-token}"
: "${PROJECT_ID:=}"

# What build.sh makes carries it, so that destroy.sh takes away nothing else.
LABEL=made-by=healer

BUILD_ACCOUNT="healer-build@$PROJECT_ID.iam.gserviceaccount.com"
RUN_ACCOUNT="healer-run@$PROJECT_ID.iam.gserviceaccount.com"
BUCKET="gs://$PROJECT_ID-healer-build"
IMAGE_NAME="$REGION-docker.pkg.dev/$PROJECT_ID/$REPOSITORY_NAME/healer"
dry_run=
account_is_new=

say() { printf '%s\n' "$*" >&2; }
fail() { say "$1"; exit 1; }

# The comment at the head of a script is its help.
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "${0##*/}"; }

# must_match NAME PATTERN SENTENCE: values go into YAML and command lines, so none is free text.
must_match() {
    [[ ${!1} =~ ^$2$ ]] || fail "$1=${!1} cannot be used: $3."
}

check_names() {
    [ -n "$PROJECT_ID" ] || fail "Set PROJECT_ID to your Google Cloud project: export PROJECT_ID=my-project"
    must_match PROJECT_ID '[a-z][a-z0-9-]{4,28}[a-z0-9]' "give the project's id (6 to 30 letters, digits and hyphens), not its name or number"
    must_match REGION '[a-z]+-[a-z]+[0-9]+' "give a region such as europe-west1"
    must_match REPOSITORY_NAME '[a-z]([a-z0-9-]{0,61}[a-z0-9])?' "use lower-case letters, digits and hyphens, at most 63"
    must_match SERVICE_NAME '[a-z]([a-z0-9-]{0,47}[a-z0-9])?' "use lower-case letters, digits and hyphens, at most 49"
    must_match SECRET_NAME '[A-Za-z0-9_-]{1,255}' "use letters, digits, hyphens and underscores"
    case $REGION in
        europe-*) ;;
        *) say "Note: $REGION is outside the European regions, so images sent to the service leave them." ;;
    esac
}

check_login() {
    [ -z "$dry_run" ] || return 0
    command -v gcloud >/dev/null || fail "gcloud is missing: install the Google Cloud CLI (https://cloud.google.com/sdk/docs/install)."
    local account
    account=$(gcloud auth list --filter=status:ACTIVE --format='value(account)' 2>/dev/null) || account=
    [ -n "$account" ] || fail "gcloud is not logged in: run 'gcloud auth login'."
    gcloud projects describe "$PROJECT_ID" --quiet >/dev/null 2>&1 ||
        fail "$account cannot see the project $PROJECT_ID: check PROJECT_ID, run 'gcloud auth login' again, or ask the project's owner for access."
}

cloud() { gcloud "$@" --project="$PROJECT_ID" --quiet; }

# Is it there? A dry run queries nothing and takes everything to be missing.
there() { [ -z "$dry_run" ] && cloud "$@" >/dev/null 2>&1; }

# change SENTENCE ARGUMENTS...: gcloud changes something, or a dry run says that it would.
change() {
    local sentence=$1
    shift
    if [ -n "$dry_run" ]; then
        say "would run:$(printf ' %q' gcloud "$@" --project="$PROJECT_ID" --quiet)"
    else
        cloud "$@" >/dev/null || fail "$sentence"
    fi
}

# A new account takes a moment until others know it, so a grant to one is tried again.
grant() {
    local sentence=$1 try
    shift
    for try in $account_is_new; do
        ! cloud "$@" >/dev/null 2>&1 || return 0
        sleep $((try * 5))
    done
    change "$sentence" "$@"
}

enable_apis() {
    change "The APIs could not be enabled: link a billing account to $PROJECT_ID, or ask its owner to run 'gcloud services enable $*'." \
        services enable "$@"
}

ensure_account() {
    local name=$1 purpose=$2
    ! there iam service-accounts describe "$name@$PROJECT_ID.iam.gserviceaccount.com" || return 0
    change "The service account $name could not be created: ask the project's owner for the role roles/iam.serviceAccountAdmin." \
        iam service-accounts create "$name" --display-name="$purpose"
    [ -n "$dry_run" ] || account_is_new="1 2 3"
}
