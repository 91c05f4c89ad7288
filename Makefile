# Plenum's commands. `make run` starts the server, `make test` runs everything that tests it.

.PHONY: help run test test-rust test-page test-browser lint shape compose-check screenshot browsers
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

# Release: the WebRTC stack is built once for the tests, for the binary that they start, and for
# `make run`. With --workspace the binary `plenum` is built before any test begins.
test-rust: ## unit, conversation and integration tests
	cargo test --workspace --release

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
