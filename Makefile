# `make` lists what there is to make. Needs GNU make and cargo; `make test` installs what else the tests need, where it may.
SHELL = /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build stage demo test test-rust test-models test-abi test-memory test-race test-soak test-fuzz test-mutants test-coverage test-long test-swift test-hosts generate check-generated lint install uninstall clean tools

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
		printf '  make %-18s %s\n' "$$target" "$$about"; done

build: ## Build the shared and the static library, optimised, into target/release.
	$(CARGO) build --release --lib

stage: build ## Install into target/stage: what tests and demos link.
	@$(MAKE) --no-print-directory install PREFIX=$(STAGE) DESTDIR= >/dev/null

demo: stage ## Digest the files of a folder through the library: make demo DIR=...
	@mkdir -p $(TARGET)/demo
	cc -std=c11 -O2 -Wall -Wextra -I$(STAGE)/include examples/c/digest.c -o $(TARGET)/demo/digest -L$(STAGE)/lib -lkvlight -lpthread -Wl,-rpath,$(STAGE)/lib
	$(TARGET)/demo/digest $(DIR)

test: ## Run every test there is; the last line counts them.
	tests/tiers/run all

test-rust: ## Run the tests of cargo alone: Rust, C, the header, the demo.
	tests/tiers/run rust

test-models: ## Explore the models of the engine under every interleaving (loom).
	tests/tiers/run models

test-abi: ## Compare layout, constants and symbols with what programs rely on.
	tests/tiers/run abi

test-memory: ## Run the C programs and a soak under AddressSanitizer.
	tests/tiers/run memory

test-race: ## Run them under ThreadSanitizer.
	tests/tiers/run race

test-soak: ## Run one workload over every way of delivery and every fault; then a thousand engines.
	tests/tiers/run soak

test-fuzz: ## Try 26,000 strange inputs on the C API, the settings and the statistics; the same ones every time.
	tests/tiers/run fuzz

test-mutants: ## Plant 400 small errors, one after the other, and see which of them no test finds (long).
	tests/tiers/run mutants

test-coverage: ## Say how much of src the tests run through.
	tests/tiers/run coverage

test-long: ## Run what takes an hour: 10^8 keys of soak, long fuzzing, mutants, coverage.
	tests/tiers/run long

test-swift: ## Run the Swift package's tests alone.
	tests/tiers/run swift

.PHONY: bench bench-quick bench-instructions bench-swift bench-python performance
bench: build ## Measure beside other caches, with tables, plots and JSON in target/bench: some 6 minutes.
	bench/run

bench-quick: build ## The same with fewer rounds, and up to a million entries: under 2 minutes.
	bench/run --quick

bench-instructions: ## Count the instructions of single operations under callgrind, and compare with bench/instructions.txt.
	bench/instructions

performance: ## Put the tables of the last make bench into README.md and docs/PERFORMANCE.md.
	bench/publish $(TARGET)/bench

bench-swift: ## Measure the Swift package: ns for each key. The next make bench takes the figures in.
	@mkdir -p $(TARGET)/bench
	set -o pipefail; bindings/swift/bench.sh | tee $(TARGET)/bench/swift.new && mv $(TARGET)/bench/swift.new $(TARGET)/bench/swift.txt

bench-python: stage ## Measure the Python module beside aiodataloader with cachetools.
	KVL_LIB_DIR=$(STAGE)/lib KVL_INCLUDE_DIR=$(STAGE)/include bindings/python/bench.sh

test-hosts: ## Run the twelve scenarios in every host.
	tests/tiers/run hosts

generate: ## Write all that is generated from the sources: header, api/api.json, CONFIGURATION.md, tables of the bindings.
	KVL_BLESS=1 $(CARGO) test --test header the_

check-generated: ## Compare what is generated with what is committed.
	$(CARGO) test --test header the_

.PHONY: dashboard docs proof test-install
# Where the live page is served.
PORT ?= 9464

dashboard: stage ## Serve metrics and a live page of an engine under load on the loopback interface: make dashboard PORT=...
	@mkdir -p $(TARGET)/demo
	cc -std=c11 -O2 -Wall -Wextra -I$(STAGE)/include examples/c/metrics.c -o $(TARGET)/demo/metrics -L$(STAGE)/lib -lkvlight -lpthread -Wl,-rpath,$(STAGE)/lib
	$(TARGET)/demo/metrics $(PORT)

docs: ## Make the manual (guide, C API, settings, search) as static pages in target/docs. Needs Python 3 and Doxygen.
	docs/make $(TARGET)/docs
	@echo 'Open $(TARGET)/docs/index.html'

test-install: ## Build programs against the installed copy alone: pkg-config, CMake, dlopen, Swift, Python, a manual page.
	tests/tiers/consumer/run

proof: ## List every rule with the tests that prove it.
	@$(CARGO) test --quiet --test proof >/dev/null
	@cat $(TARGET)/proof.md

lint: ## Check formatting and run clippy, warnings being errors.
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	cd bench && $(CARGO) fmt --check && $(CARGO) clippy --quiet --release --all-targets --target-dir $(abspath $(TARGET))/bench-crate -- -D warnings

tools: ## Install what the tests need: Debian packages, as root.
	tests/tiers/tools

# What is found relative to what, so that the installed tree can be moved; below /usr the names are plain, since compilers search there anyway.
relative = $(shell realpath -m --relative-to='$(1)' '$(2)')
PC_PREFIX = $(if $(filter /usr,$(PREFIX)),/usr,$${pcfiledir}/$(call relative,$(LIBDIR)/pkgconfig,$(PREFIX)))
# PLACE below $${prefix} if it lies there, else as it is.
below_prefix = $(if $(filter $(PREFIX)/%,$(1)),$${prefix}/$(patsubst $(PREFIX)/%,%,$(1)),$(1))
CMAKEDIR = $(LIBDIR)/cmake/kvlight
DOCDIR ?= $(PREFIX)/share/doc/kvlight
MANDIR ?= $(PREFIX)/share/man
HEADERS := $(notdir $(wildcard include/*))
DOCUMENTS := README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE docs/CONFIGURATION.md
MANUALS := $(notdir $(wildcard packaging/*.3))
empty :=
space := $(empty) $(empty)
FILL = sed -e 's|@PC_PREFIX@|$(PC_PREFIX)|; s|@PC_LIBDIR@|$(call below_prefix,$(LIBDIR))|; s|@PC_INCLUDEDIR@|$(call below_prefix,$(INCLUDEDIR))|' \
	-e 's|@VERSION@|$(VERSION)|; s|@SONAME@|$(SONAME)|; s|@ABI_VERSION@|$(basename $(VERSION))|; s|@MAJOR_VERSION@|$(firstword $(subst ., ,$(VERSION)))|' \
	-e 's|@LIBS_PRIVATE@|$(LIBS_PRIVATE)|; s|@CMAKE_LIBS_PRIVATE@|$(subst $(space),;,$(LIBS_PRIVATE))|; s|@SIZEOF_VOID_P@|$(shell echo $$(($$(getconf LONG_BIT) / 8)))|' \
	-e 's|@REL_INCLUDEDIR@|$(call relative,$(CMAKEDIR),$(INCLUDEDIR))|'

install: ## Install libraries, headers, pkg-config file, CMake package: make install PREFIX=... DESTDIR=...
	@test -f $(TARGET)/release/libkvlight.so || { echo 'Nothing is built yet: run make build first.' >&2; exit 1; }
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(CMAKEDIR) $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(DOCDIR)
	install -m 755 $(TARGET)/release/libkvlight.so $(DESTDIR)$(LIBDIR)/libkvlight.so.$(VERSION)
	ln -sf libkvlight.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libkvlight.so
	install -m 644 $(TARGET)/release/libkvlight.a $(DESTDIR)$(LIBDIR)/libkvlight.a
	install -m 644 $(addprefix include/,$(HEADERS)) $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(DOCUMENTS) $(DESTDIR)$(DOCDIR)
	$(if $(MANUALS),install -d $(DESTDIR)$(MANDIR)/man3 && install -m 644 $(addprefix packaging/,$(MANUALS)) $(DESTDIR)$(MANDIR)/man3)
	@$(FILL) packaging/kvlight.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/kvlight.pc
	@$(FILL) packaging/kvlight-config.cmake.in > $(DESTDIR)$(CMAKEDIR)/kvlight-config.cmake
	@$(FILL) packaging/kvlight-config-version.cmake.in > $(DESTDIR)$(CMAKEDIR)/kvlight-config-version.cmake

uninstall: ## Remove what install put there: the same PREFIX and DESTDIR.
	rm -f $(DESTDIR)$(LIBDIR)/libkvlight.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/libkvlight.so \
		$(DESTDIR)$(LIBDIR)/libkvlight.a $(DESTDIR)$(LIBDIR)/pkgconfig/kvlight.pc \
		$(addprefix $(DESTDIR)$(CMAKEDIR)/,kvlight-config.cmake kvlight-config-version.cmake) \
		$(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(HEADERS)) $(addprefix $(DESTDIR)$(DOCDIR)/,$(notdir $(DOCUMENTS))) \
		$(addprefix $(DESTDIR)$(MANDIR)/man3/,$(MANUALS))
	@rmdir $(DESTDIR)$(CMAKEDIR) $(DESTDIR)$(DOCDIR) 2>/dev/null || true

clean: ## Remove all that was built.
	$(CARGO) clean
