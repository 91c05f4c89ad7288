# Plenum's commands. `make run` starts the server, `make test` runs everything that tests it.

.PHONY: help run test test-rust test-page test-browser lint shape compose-check screenshot bench compare churn late-join overload browsers janus ethtool postgresql sim kill-test
.DEFAULT_GOAL := help

# Root, or sudo where it is.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
# The page's tests drive the system's browsers: nothing is downloaded but the packages themselves.
NPM_CI := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
NPM_INSTALLED := web-demo/node_modules/.package-lock.json

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

run: ## build and start the server; make run ARGS="--http 127.0.0.1:9000"
	cargo run --release -- $(ARGS)

test: test-page test-rust test-browser ## everything: the page's types, Rust, real browsers

# Release: the WebRTC stack is built once for the tests and for the binary that they start. `make run` builds the server
# alone, which is less, with features of its own. With --workspace the binary `plenum` is built before any test begins.
test-rust: janus postgresql ## unit, conversation and integration tests
	cargo test --workspace --release

sim: ## many worlds from seeds, until something is not as it must be; make sim SEEDS=1000..2000
	cargo build --release -p sim
	target/release/plenum-sim $(or $(SEEDS),0..1000)

# Its numbers are printed, and kept in docs/reliability/kill-test.json with the number of kills that was asked for.
kill-test: ## the server is killed and started again; make kill-test CYCLES=1000
	mkdir -p docs/reliability
	KILL_CYCLES=$(or $(CYCLES),1000) KILL_REPORT=$(CURDIR)/docs/reliability/kill-test.json \
		cargo test --release -p server --test kill -- --nocapture

test-page: $(NPM_INSTALLED) ## tsc over the page
	cd web-demo && npx --no-install tsc --project jsconfig.json

test-browser: browsers $(NPM_INSTALLED) ## Chromium and Firefox meet in rooms of the release binary
	cargo build --release --workspace --bins
	cd web-demo && npm test

$(NPM_INSTALLED): web-demo/package.json web-demo/package-lock.json
	cd web-demo && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 PUPPETEER_SKIP_DOWNLOAD=1 $(NPM_CI)
	@touch $@

# Debian's own builds; whichever is there already is left alone.
browsers:
	@missing=""; \
	command -v "$${CHROMIUM:-chromium}" >/dev/null || missing="$$missing chromium"; \
	command -v "$${FIREFOX:-firefox-esr}" >/dev/null || missing="$$missing firefox-esr"; \
	if [ -n "$$missing" ]; then \
		echo "installing$$missing"; \
		$(AS_ROOT) apt-get update -qq && \
		$(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			$$missing fonts-liberation; \
	fi

# Debian's own build too, for the load tester's test against another server. Its package would start it.
janus:
	@if ! command -v janus >/dev/null; then \
		echo "installing janus"; \
		$(AS_ROOT) apt-get update -qq && \
		$(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends janus && \
		if [ -d /run/systemd/system ]; then $(AS_ROOT) systemctl disable --now janus; fi; \
	fi

# What sets up the wire between server and load: see bench/wire.
ethtool:
	@if ! command -v ethtool >/dev/null; then \
		echo "installing ethtool"; \
		$(AS_ROOT) apt-get update -qq && \
		$(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ethtool; \
	fi

# And Debian's PostgreSQL: the store's tests start one of their own, and need no other to run.
postgresql:
	@if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then \
		echo "installing postgresql"; \
		$(AS_ROOT) apt-get update -qq && \
		$(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql && \
		if [ -d /run/systemd/system ]; then $(AS_ROOT) systemctl disable --now postgresql; fi; \
	fi

# Release here too: build scripts and macros are then built once for lints and tests.
lint: ## formatting, and clippy with warnings as errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --release -- -D warnings

shape: ## the longest files and functions, so that a hub is seen young
	@.ci/shape

compose-check: ## docker-compose.yml, Prometheus' and Grafana's files can be read
	@.ci/compose-check

screenshot: browsers $(NPM_INSTALLED) ## docs/images/room.png, from a running room
	cargo build --release --workspace --bins
	node docs/images/room.js

bench: ## loads of bench/loads on Plenum, pinned to one core: bench/results and one table
	cargo build --release --workspace --bins
	bench/run

compare: janus ethtool ## the same loads on Plenum and Janus in turn, 15 minutes: docs/benchmarks.md
	cargo build --release --workspace --bins
	bench/compare

late-join: browsers $(NPM_INSTALLED) ## from the click on "Join" to the first picture, in Chromium; make late-join JOINS=20
	cargo build --release --workspace --bins
	node bench/late-join-chromium.js $(or $(JOINS),60)

churn: ## people come and go for an hour: memory and descriptors must stay flat; make churn MINUTES=10
	cargo build --release --workspace --bins
	bench/churn $(or $(MINUTES),60)

overload: ## more than one core can do: what becomes of sound and of pictures; make overload OTHER=path/of/another/plenum
	cargo build --release --workspace --bins
	bench/overload $(OTHER)
