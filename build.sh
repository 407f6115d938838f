#!/usr/bin/env bash
# Build Healer's image, MedGemma inside, on Cloud Build, and keep it in Artifact Registry.
#
#   export MY_HF_TOKEN=hf_... PROJECT_ID=my-project
#   ./build.sh [--dry-run]
#
# Run it again at any time: what is there stays, and the model is not downloaded twice.
# --dry-run asks and changes nothing, and prints what would be done if nothing were there.
#
# MY_HF_TOKEN      Hugging Face read token; needed until the secret SECRET_NAME holds one
# PROJECT_ID       Google Cloud project
# REGION           europe-west1
# REPOSITORY_NAME  healer-medgemma
# SECRET_NAME      healer-hf-token
# MODEL_ID         google/medgemma-4b-it
# MODEL_REVISION   the commit that Healer knows for MODEL_ID
# MODEL_DIR        /opt/healer/model, the model's folder in the image
# TAG              the commit checked out, with -dirty where files differ from it

set -euo pipefail
cd "$(dirname "$0")"
. deploy/lib.sh

: "${MODEL_ID:=google/medgemma-4b-it}"
: "${MODEL_REVISION:=}"
: "${MODEL_DIR:=/opt/healer/model}"
: "${TAG:=}"

main() {
    read_arguments "$@"
    check_names
    check_model
    find_tag
    check_login
    enable_apis artifactregistry.googleapis.com cloudbuild.googleapis.com \
        iam.googleapis.com secretmanager.googleapis.com storage.googleapis.com
    ensure_secret
    ensure_repository
    ensure_bucket
    ensure_account healer-build "Builds Healer's image"
    grant_what_building_needs
    build
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --dry-run) dry_run=yes ;;
            -h | --help) usage; exit ;;
            *) fail "build.sh knows no argument $1: see ./build.sh --help." ;;
        esac
        shift
    done
}

check_model() {
    must_match MODEL_ID '[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+' "give owner/name as on the hub"
    must_match MODEL_REVISION '([0-9a-f]{40})?' "give the commit's 40 hexadecimal digits"
    must_match MODEL_DIR '/[A-Za-z0-9_./-]+' "give an absolute path, of letters, digits, '_', '.' and '-'"
}

find_tag() {
    if [ -z "$TAG" ]; then
        TAG=$(git rev-parse HEAD 2>/dev/null) || fail "This folder is no git checkout, so the image has no commit to be named by: set TAG, for instance TAG=v1."
        [ -z "$(git status --porcelain)" ] || TAG=$TAG-dirty
    fi
    must_match TAG '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}' "use letters, digits, '_', '.' and '-'"
}

# The token's value stands in no command and no variable of ours, so that not even `bash -x`
# shows it: printenv writes it from the environment straight into gcloud.
token() { printenv MY_HF_TOKEN | tr -d '[:space:]'; }
token_given() { [ -n "${MY_HF_TOKEN:+given}" ]; }

ensure_secret() {
    token_given || check_kept_token
    there secrets describe "$SECRET_NAME" ||
        change "The secret $SECRET_NAME could not be created: ask the project's owner for the role roles/secretmanager.admin." \
            secrets create "$SECRET_NAME" --replication-policy=user-managed --locations="$REGION" --labels="$LABEL"
    ! token_given || keep_token
}

check_kept_token() {
    there secrets versions describe latest --secret="$SECRET_NAME" && return
    local sentence="create a read token at https://huggingface.co/settings/tokens and export MY_HF_TOKEN=hf_..."
    [ -n "$dry_run" ] || fail "MY_HF_TOKEN is not set and the secret $SECRET_NAME holds no token: $sentence"
    say "MY_HF_TOKEN is not set: unless the secret $SECRET_NAME holds a token, $sentence"
}

keep_token() {
    local arguments=(secrets versions add "$SECRET_NAME" --data-file=-)
    if [ -n "$dry_run" ]; then
        change "" "${arguments[@]}"
    elif ! cmp -s <(token) <(cloud secrets versions access latest --secret="$SECRET_NAME" 2>/dev/null); then
        token | change "The token could not be stored in the secret $SECRET_NAME: ask the project's owner for the role roles/secretmanager.secretVersionAdder." \
            "${arguments[@]}"
    fi
}

ensure_repository() {
    there artifacts repositories describe "$REPOSITORY_NAME" --location="$REGION" ||
        change "The repository $REPOSITORY_NAME could not be created: ask the project's owner for the role roles/artifactregistry.admin." \
            artifacts repositories create "$REPOSITORY_NAME" --location="$REGION" --repository-format=docker --labels="$LABEL"
}

# Cloud Build's own bucket would lie in the United States.
ensure_bucket() {
    there storage buckets describe "$BUCKET" ||
        change "The bucket $BUCKET could not be created: ask the project's owner for the role roles/storage.admin." \
            storage buckets create "$BUCKET" --location="$REGION" --uniform-bucket-level-access --public-access-prevention
}

grant_what_building_needs() {
    local sentence="The account healer-build could not be given what building needs: ask the project's owner to run ./build.sh once."
    local member=--member="serviceAccount:$BUILD_ACCOUNT"
    grant "$sentence" secrets add-iam-policy-binding "$SECRET_NAME" "$member" --role=roles/secretmanager.secretAccessor
    grant "$sentence" artifacts repositories add-iam-policy-binding "$REPOSITORY_NAME" --location="$REGION" "$member" --role=roles/artifactregistry.writer
    grant "$sentence" storage buckets add-iam-policy-binding "$BUCKET" "$member" --role=roles/storage.objectViewer
    grant "$sentence" projects add-iam-policy-binding "$PROJECT_ID" "$member" --role=roles/logging.logWriter --condition=None
}

build() {
    local values="_IMAGE=$IMAGE_NAME,_TAG=$TAG,_SECRET=$SECRET_NAME"
    values+=",_MODEL_ID=$MODEL_ID,_MODEL_REVISION=$MODEL_REVISION,_MODEL_DIR=$MODEL_DIR"
    set -- builds submit . --config=cloudbuild.yaml --region="$REGION" \
        --gcs-source-staging-dir="$BUCKET/source" --substitutions="$values"
    if [ -n "$dry_run" ]; then
        change "" "$@"
        return
    fi
    cloud "$@" >&2 ||
        fail "The build failed: its own last lines are above, and 'gcloud builds list --project=$PROJECT_ID --region=$REGION --limit=1' names it; run ./build.sh again once the cause is mended."
    say "Built $IMAGE_NAME:$TAG. Deploy it: ./deploy.sh"
}

main "$@"
