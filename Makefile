# `make` lists what there is to make. Needs GNU make and cargo; `make test` installs what else the tests need, where it may.
SHELL = /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build stage demo test test-rust test-models test-abi test-memory test-race test-soak test-fuzz test-mutants test-coverage test-long test-swift test-hosts headers lint install uninstall clean tools

CARGO ?= cargo
TARGET ?= $(or $(CARGO_TARGET_DIR),target)
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=
# A folder that every machine has, for the demo.
DIR ?= /usr/include

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SONAME := libkvlight.so.$(shell echo $(VERSION) | cut -d. -f1,2)
# What rustc says a static library needs besides: `make test` compares.
LIBS_PRIVATE := -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
STAGE := $(abspath $(TARGET))/stage

help: ## List these targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target about; do \
		printf '  make %-14s %s\n' "$$target" "$$about"; done

build: ## Build the shared and the static library, optimised, into target/release.
	$(CARGO) build --release --lib

stage: build ## Install into target/stage: what tests and demos link.
	@$(MAKE) --no-print-directory install PREFIX=$(STAGE) DESTDIR= >/dev/null

demo: stage ## Digest the files of a folder through the library: make demo DIR=...
	@mkdir -p $(TARGET)/demo
	cc -std=c11 -O2 -Wall -Wextra -I$(STAGE)/include examples/c/digest.c -o $(TARGET)/demo/digest -L$(STAGE)/lib -lkvlight -lpthread -Wl,-rpath,$(STAGE)/lib
	$(TARGET)/demo/digest $(DIR)

test: ## Run every test there is; the last line counts them.
	tests/run all

test-rust: ## Run the tests of cargo alone: Rust, C, the header, the demo.
	tests/run rust

test-models: ## Explore the models of the engine under every interleaving (loom).
	tests/run models

test-abi: ## Compare layout, constants and symbols with what programs rely on.
	tests/run abi

test-memory: ## Run the C programs and a soak under AddressSanitizer.
	tests/run memory

test-race: ## Run them under ThreadSanitizer.
	tests/run race

test-soak: ## Run one workload over every way of delivery and every fault; then a thousand engines.
	tests/run soak

test-fuzz: ## Fuzz the C API, the settings and the statistics, 20 seconds each.
	tests/run fuzz

test-mutants: ## Plant 400 small errors, one after the other, and see which of them no test finds (long).
	tests/run mutants

test-coverage: ## Say how much of src the tests run through.
	tests/run coverage

test-long: ## Run what takes an hour: 10^8 keys of soak, long fuzzing, mutants, coverage.
	tests/run long

test-swift: ## Run the Swift package's tests alone.
	tests/run swift

test-hosts: ## Run the twelve scenarios in every host.
	tests/run hosts

headers: ## Write include/kvlight.h, docs/CONFIGURATION.md and the list of settings anew from the sources.
	KVL_BLESS=1 $(CARGO) test --test header the_

lint: ## Check formatting and run clippy, warnings being errors.
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

tools: ## Install what the tests need: Debian packages, as root.
	tests/tools

install: ## Install libraries, headers and pkg-config file: make install PREFIX=... DESTDIR=...
	@test -f $(TARGET)/release/libkvlight.so || { echo 'Nothing is built yet: run make build first.' >&2; exit 1; }
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	install -m 755 $(TARGET)/release/libkvlight.so $(DESTDIR)$(LIBDIR)/libkvlight.so.$(VERSION)
	ln -sf libkvlight.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libkvlight.so
	install -m 644 $(TARGET)/release/libkvlight.a $(DESTDIR)$(LIBDIR)/libkvlight.a
	install -m 644 $(wildcard include/*) $(DESTDIR)$(INCLUDEDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|; s|@LIBS_PRIVATE@|$(LIBS_PRIVATE)|' \
		packaging/kvlight.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/kvlight.pc

uninstall: ## Remove what install put there.
	rm -f $(DESTDIR)$(LIBDIR)/libkvlight.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/libkvlight.so \
		$(DESTDIR)$(LIBDIR)/libkvlight.a $(DESTDIR)$(LIBDIR)/pkgconfig/kvlight.pc \
		$(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(notdir $(wildcard include/*)))

clean: ## Remove all that was built.
	$(CARGO) clean
