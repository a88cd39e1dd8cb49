# `make demo` and `make test` are all that a newcomer needs; the rest is what they are made of.

# The tools keep what they remember inside the project.
export SAM_CLI_TELEMETRY := 0
export __SAM_CLI_APP_DIR := $(CURDIR)/target/local/sam

PYTHON := python3
TOOLS := target/local/venv-tools/bin
PAGE := functions/serve-portal/page

.PHONY: demo demo-xero test up down redrive watch lint unit instructions bench validate end-to-end ask chaos audit page page-check page-test screens

## The whole story on the local cloud, from an empty portal to the report. Ends with the cloud down again.
demo:
	@$(PYTHON) local/cloud.py demo

## The same of the Xero import, with a fake Xero: connect, consent, preview, import, connection given back.
demo-xero:
	@$(PYTHON) local/cloud.py demo-xero

## Everything that is checked before a change is merged.
test: lint unit instructions page-check
	@$(PYTHON) local/cloud.py test

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features bench/ways --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet

## Unit, property and golden tests, the reference model of the rules, what the fuzzer has found, and the model of
## queue and lease: no cloud, no network.
unit:
	cargo test --workspace --locked --lib --bins --test sample_file --test documents --test purity --test openapi
	cargo test --workspace --locked --test protocol --test golden --test reference --test corpus --test import --test xero
	# Of the whole workspace: `cargo run -p` would compile the crate once more, with the features that it asks for alone.
	cargo build --workspace --quiet --locked --example plan
	target/*/debug/examples/plan events/people.mapping.json events/people.csv > /dev/null

## Instructions a row, compared with the committed ones, within 5 %. Needs valgrind. UPDATE_BASELINE=1 accepts what is
## counted now.
instructions:
	@$(PYTHON) tests/bench/instructions.py

## Measures, and writes docs/performance.md: some 25 minutes, once the functions are built; QUICK=1 makes it three.
## PART=rows measures one part of it, ROWS=10000,100000 chooses the sizes of whole runs. Needs valgrind, and Node for
## those who are compared.
bench:
	@$(PYTHON) tests/bench/bench.py

## The local cloud, with everything deployed. PORT=4566 chooses the port; without it, a free one is used.
up:
	@$(PYTHON) local/cloud.py up

down:
	@$(PYTHON) local/cloud.py down

## Repeats the events in the on-failure queue (docs/runbook.md). STACK=go1-user-feed-production chooses a stack on AWS,
## with the credentials and the region that are chosen there; without it, the local cloud is meant.
redrive:
	@$(PYTHON) local/cloud.py redrive

## These need the cloud to be up. `watch` serves every function for `cargo lambda invoke`.
watch:
	$(TOOLS)/cargo-lambda lambda watch --env-file target/local/functions.env

validate:
	$(TOOLS)/sam validate

# Those of the first kind wait for somebody else most of the time.
end-to-end:
	RUST_TEST_THREADS=4 cargo test --workspace --locked --test end_to_end
	cargo test --workspace --locked --test chaos

## The administrators' page: builds what serve-portal embeds. Needs Node, as page-check and page-test do.
page: $(PAGE)/node_modules/.package-lock.json
	npm --prefix $(PAGE) run --silent build

## Whether what is embedded is what the sources make.
page-check: $(PAGE)/node_modules/.package-lock.json
	npm --prefix $(PAGE) run --silent check

## In Chromium. `screens` keeps a picture of every screen in docs/screens, made smaller by pngquant where that is installed.
page-test: $(PAGE)/node_modules/.package-lock.json
	npm --prefix $(PAGE) test --silent

screens: export SCREENS := 1
screens: page-test
	if command -v pngquant; then pngquant --ext .png --force --skip-if-larger --quality 80-100 docs/screens/*.png; fi

$(PAGE)/node_modules/.package-lock.json: $(PAGE)/package-lock.json
	npm --prefix $(PAGE) ci --silent --no-audit --no-fund

## The long version of asking the API everything that openapi.yaml allows and does not (README.md, "The API").
## ASK_EXAMPLES says how many requests by chance there are about each route, ASK_SEED draws others.
ask:
	@$(PYTHON) local/cloud.py ask

## The long version of the tests that break things (docs/reliability.md): three quarters of an hour.
chaos:
	@$(PYTHON) local/cloud.py chaos

## Licences, bans and sources of the dependencies. Installs cargo-deny into target/ the first time, which takes minutes.
audit: target/tools/bin/cargo-deny
	target/tools/bin/cargo-deny --locked check licenses bans sources

target/tools/bin/cargo-deny:
	cargo install --locked --root target/tools cargo-deny
