# What people and CI run. `make` alone lists it.
SHELL := /bin/sh
BIN := .venv/bin

.PHONY: help setup check style types imports rendered tree test up bench render image
.PHONY: deploy-check observe-check deploy-test kube-test pods-test
.DEFAULT_GOAL := help

help:  ## lists these
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):[^#]*## */  \1\t/' | expand -t 16

setup:  ## makes the developer's environment
	@./chandler test --version >/dev/null

check: setup  ## style, types, imports, rendered documents, the tree; under 20 s
	@$(MAKE) --no-print-directory --output-sync --jobs 4 style types imports rendered tree

style:
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .

types:
	$(BIN)/mypy --no-error-summary .

imports:
	$(BIN)/lint-imports --no-logo

rendered:
	./chandler render --check

tree:
	./chandler test tests/project -m "not system"

test:  ## every test that is not long
	./chandler test

up:  ## starts everything
	./chandler up

bench:  ## the streams' benchmark
	./chandler bench stream

image:  ## builds the image of the services as chandler:local
	docker build --target services --tag chandler:local .

deploy-check: setup  ## manifests, compose, Dockerfile, rules, dashboards; needs Go and npm, no engine
	@sh deploy/check.sh

observe-check: setup  ## every query of the dashboards against the running demo, < 8 minutes
	@sh grafana/check.sh

deploy-test:  ## images, the demo by compose, kills, bad input; needs Docker. ARGS=--offline builds Kafka
	@python3 -m deploy.trial $(ARGS)

kube-test: setup  ## applies the manifests to kubectl's Kubernetes and takes them away; then pods-test
	@sh deploy/check.sh install
	@$(BIN)/python -P deploy/kube.py .cache/deploy/operator .cache/deploy/strimzi
	@$(MAKE) --no-print-directory pods-test

pods-test: setup  ## runs each pod of the demo's manifests as a container; needs Docker, kubectl, the image
	@mkdir -p .cache && kubectl kustomize k8s >.cache/demo.yaml
	@$(BIN)/python -P deploy/pods.py .cache/demo.yaml

render:  ## writes topology, manifests and lists of ports from the declarations
	./chandler render
