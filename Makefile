# `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup hooks hooks-off quick check test test-all demo demo-plan demo-app demo-down docs golden bench bench-scale
WITH := test/engine/with
VITEST := $(WITH) node node_modules/vitest/vitest.mjs run

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install Node, the npm packages and a Pulumi engine, and print their versions
	@$(WITH)

hooks: ## install git hooks that check each commit (lefthook.yml)
	@$(WITH) node_modules/.bin/lefthook install

hooks-off: ## remove the git hooks
	@$(WITH) node_modules/.bin/lefthook uninstall

quick: ## check only what changed since the last commit: lint, matching tests, types
	@test/run quick

check: ## everything that needs no host: lint, types, imports, unit, render, component and agent tests
	@test/run check

test: ## everything, on throw-away hosts; the last line is "N passed, N failed"
	@test/run all

test-all: ## the same with every crash point five times, every case of a mechanism, a PostgreSQL upgrade, backups in a bucket, programs in YAML and Python, and all e2e tests on simulated Arch; an hour longer
	@GATEHOUSE_EXHAUSTIVE=1 test/run all

demo: ## deploy the whole platform to a throw-away host on this machine
	@$(WITH) test/demo up

demo-plan: ## print the plan of a change to the demo; changes nothing
	@$(WITH) test/demo plan

demo-app: ## deploy an app with its own stack to the demo: Synapse, from examples/app
	@$(WITH) test/demo app

demo-down: ## stop the demo and delete its disk
	@$(WITH) test/demo down

docs: ## build the documentation site into website/dist, and check its links
	@$(WITH) website/build

golden: ## update the golden files from what is rendered now
	@UPDATE_GOLDEN=1 $(VITEST) --project check

bench: ## measure `pulumi up` and the package; results go to bench/
	@$(WITH) bench/run
	@$(WITH) bench/package

bench-scale: ## the same with 10, 25 and 50 apps
	@$(WITH) bench/scale
