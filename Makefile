.PHONY: test
test:
	cargo fmt --all --check
	cargo test --workspace --locked
