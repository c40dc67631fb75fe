#!/usr/bin/env bash
# Who may use whom (docs/architecture.md), as far as cargo and grep can tell. Most of it is already in the manifests:
# this catches the edge that somebody adds to one.
. "$(dirname "$0")/lib.sh"

broken=0

# forbid "WHAT" TREE-ARGUMENTS… -- CRATE…: the normal dependencies must not hold these crates (names may end in *)
forbid() {
  local what=$1 arguments=() names name
  shift
  while [ "$1" != -- ]; do
    arguments+=("$1")
    shift
  done
  shift
  names=$(cargo tree --locked "${arguments[@]}" --edges normal,no-proc-macro --prefix none --format '{p}' | awk '{ print $1 }' | sort -u)
  while IFS= read -r name; do
    for pattern in "$@"; do
      # shellcheck disable=SC2254
      case $name in
      $pattern)
        echo "$what must not depend on $name" >&2
        broken=1
        ;;
      esac
    done
  done <<<"$names"
}

# forbid_text "WHY" REGEX PATH…: no line of these files may match
forbid_text() {
  local why=$1 regex=$2
  shift 2
  if grep -rnE --include='*.rs' "$regex" "$@" 2>/dev/null; then
    echo "$why" >&2
    broken=1
  fi
}

wasm=(--target wasm32-unknown-unknown)
forbid "the browser side" -p frontend "${wasm[@]}" -- sea-orm 'sqlx*' redis mio tokio engine store 'jiff*' rlibphonenumber minijinja
forbid "domain" -p domain -- tokio axum 'leptos*' reqwest sea-orm store engine
forbid "store" -p store -- engine migrations axum 'leptos*' reqwest
forbid "engine" -p engine -- axum 'leptos*' migrations simulator app server testkit
forbid "simulator" -p simulator -- domain store engine app server migrations testkit 'sea-orm*'
forbid "migrations" -p migrations -- domain store engine app server
forbid "app" -p app --features ssr --depth 1 -- store 'sea-orm*' redis 'tower-sessions*' migrations simulator
forbid "server" -p server -- testkit

forbid_text "server: only startup.rs and the session adapter may name the store" '(^|[^[:alnum:]_:])store::' \
  $(find server/src -name '*.rs' ! -path server/src/startup.rs ! -path server/src/http/session.rs)
forbid_text "server: api must not use webhooks or the command line" 'crate::(webhooks|cli)\b' server/src/api
forbid_text "server: webhooks must not use api or the command line" 'crate::(api|cli)\b' server/src/webhooks
forbid_text "server: the command line must not use api or webhooks" 'crate::(api|webhooks)\b' server/src/cli

for page in app/src/pages/*/; do
  [ -d "$page" ] || continue
  page=$(basename "$page")
  others=$(find app/src/pages -mindepth 1 -maxdepth 1 -type d ! -name "$page" -exec basename {} \; | paste -sd '|' -)
  [ -z "$others" ] || forbid_text "app: pages/$page must not use another page" "pages::($others)\b" "app/src/pages/$page"
done

[ "$broken" = 0 ] || die "the layers are broken"
echo "layers: fine"
