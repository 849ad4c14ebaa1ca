# `make` lists what there is to make.
.POSIX:
.PHONY: help build test headers lint clean

CARGO = cargo

help: ## List these targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r target about; do \
		printf '  make %-10s %s\n' "$$target" "$$about"; done

build: ## Build the shared and the static library, optimised, into target/release.
	$(CARGO) build --release --lib

test: ## Run every test; needs gcc, g++, binutils and valgrind, and uses clang-19 and tcc where they are.
	$(CARGO) test

headers: ## Write include/kvlight.h, docs/CONFIGURATION.md and the list of settings anew from the sources.
	KVL_BLESS=1 $(CARGO) test --test header the_

lint: ## Check formatting and run clippy, warnings being errors.
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

clean: ## Remove all that was built.
	$(CARGO) clean
