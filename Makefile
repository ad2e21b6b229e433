# make help tells what there is.
.DEFAULT_GOAL := help
.PHONY: help setup hooks hooks-off quick check test test-all demo demo-app demo-down docs golden bench bench-scale
WITH := test/engine/with
VITEST := $(WITH) node node_modules/vitest/vitest.mjs run

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install what everything else runs on, and say what that is
	@$(WITH)

hooks: ## have git check each commit, as lefthook.yml says; `make hooks-off` ends that
	@$(WITH) node_modules/.bin/lefthook install

hooks-off: ## remove the git hooks again
	@$(WITH) node_modules/.bin/lefthook uninstall

quick: ## what the change since the last commit concerns: its lint, its tests, and the types
	@test/run quick

check: ## all that needs no host: lint, types, imports, unit, render, component and agent tests
	@test/run check

test: ## everything, on throw-away hosts; ends with one line "N passed, N failed"
	@test/run all

test-all: ## the same with every crash point five times over, an upgrade of PostgreSQL, backups in a bucket, and all of e2e on a likeness of Arch; an hour more
	@GATEHOUSE_EXHAUSTIVE=1 test/run all

demo: ## the whole platform on a throw-away host of this machine
	@$(WITH) test/demo up

demo-app: ## an app in a stack of its own beside the demo: Synapse, of examples/app
	@$(WITH) test/demo app

demo-down: ## stop the demo and delete its disk
	@$(WITH) test/demo down

docs: ## build the documentation site into website/dist, and check its links
	@$(WITH) website/build

golden: ## write the golden files anew from what is rendered now
	@UPDATE_GOLDEN=1 $(VITEST) --project check

bench: ## measure; figures go to bench/
	@$(WITH) bench/run

bench-scale: ## the same with 10, 25 and 50 apps
	@$(WITH) bench/scale
