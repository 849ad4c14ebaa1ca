# `make` lists the targets. Needs GNU make and cargo; `make test` installs the other tools that the tests need, if it has the rights.
SHELL = /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build stage demo test test-rust test-models test-abi test-memory test-race test-soak test-fuzz test-mutants test-coverage test-long test-swift test-hosts generate check-generated lint install uninstall clean tools

CARGO ?= cargo
TARGET ?= $(or $(CARGO_TARGET_DIR),target)
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=
# The folder that the demo digests.
DIR ?= /usr/include

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SONAME := libkvlight.so.$(shell echo $(VERSION) | cut -d. -f1,2)
# The libraries that rustc lists for a static library (`make test` compares the lists), except -lgcc_s: each compiler links its own
# unwinder, and with -static there is no libgcc_s.
LIBS_PRIVATE := $(if $(filter Darwin,$(shell uname -s)),-liconv -lSystem -lc -lm,-lutil -lrt -lpthread -lm -ldl -lc)
# Recipes read paths from the environment, so that blanks and quotes in them are harmless.
export KVL_TARGET := $(if $(filter /%,$(firstword $(TARGET))),$(TARGET),$(CURDIR)/$(TARGET))
export KVL_STAGE := $(KVL_TARGET)/stage

help: ## List these targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target about; do \
		printf '  make %-18s %s\n' "$$target" "$$about"; done

# Without the Rust library: if cargo built that too, it would omit the link-time optimisation (`lto` in Cargo.toml).
build: ## Build the shared and the static library, optimised, into target/release.
	$(CARGO) rustc --release --lib --crate-type cdylib,staticlib

stage: build ## Install into target/stage, which the tests and demos link.
	@PREFIX="$$KVL_STAGE" LIBDIR="$$KVL_STAGE/lib" INCLUDEDIR="$$KVL_STAGE/include" DOCDIR="$$KVL_STAGE/share/doc/kvlight" \
		MANDIR="$$KVL_STAGE/share/man" DESTDIR= packaging/install install

.PHONY: redis
# More options for cargo, such as --no-default-features, which leaves out TLS.
REDIS_OPTIONS ?=
redis: stage ## Build libkvlight_redis, a second tier on Redis or Valkey, into target/redis/release.
	KVL_LIB_DIR="$$KVL_STAGE/lib" $(CARGO) build --release --manifest-path redis/Cargo.toml --target-dir "$$KVL_TARGET/redis" $(REDIS_OPTIONS)

LINKED = -I"$$KVL_STAGE/include" -L"$$KVL_STAGE/lib" -lkvlight -lpthread -Wl,-rpath,"$$KVL_STAGE/lib"

demo: export DIR := $(DIR)
demo: stage ## Digest the files of a folder through the library: make demo DIR=...
	@mkdir -p "$$KVL_TARGET/demo"
	cc -std=c11 -O2 -Wall -Wextra examples/c/digest.c -o "$$KVL_TARGET/demo/digest" $(LINKED)
	"$$KVL_TARGET/demo/digest" "$$DIR"

# How long the provider of the outage demo is down, in milliseconds.
OUTAGE ?= 10000

.PHONY: scale
scale: stage ## Simulate, in one thread, a thousand processes that share a second tier. Takes about a minute.
	@mkdir -p "$$KVL_TARGET/demo"
	cc -std=c11 -O2 -Wall -Wextra bench/driver/scale.c -o "$$KVL_TARGET/demo/scale" $(LINKED) -lm
	"$$KVL_TARGET/demo/scale"

.PHONY: outage
outage: stage ## Show how two caches, one of them prepared, get through an outage of ten seconds: make outage OUTAGE=...
	@mkdir -p "$$KVL_TARGET/demo"
	cc -std=c11 -O2 -Wall -Wextra examples/c/outage.c -o "$$KVL_TARGET/demo/outage" $(LINKED)
	"$$KVL_TARGET/demo/outage" "$(OUTAGE)"

# How long the demo of a cluster takes, in seconds, and how many processes share the cluster.
DEMO_SECONDS ?= 20
PROCESSES ?= 4
SONAME_REDIS := $(SONAME:libkvlight.so.%=libkvlight_redis.so.%)

.PHONY: demo-cluster
demo-cluster: redis ## Start a Redis cluster that several processes share, and kill a primary: make demo-cluster PROCESSES=...
	@command -v redis-server >/dev/null || command -v valkey-server >/dev/null || [ -n "$$KVL_REDIS_SERVER" ] || packaging/tools redis-server
	@mkdir -p "$$KVL_TARGET/demo" && ln -sf libkvlight_redis.so "$$KVL_TARGET/redis/release/$(SONAME_REDIS)"
	cc -std=c11 -O2 -Wall -Wextra -Iredis/include examples/c/cluster.c -o "$$KVL_TARGET/demo/cluster" -L"$$KVL_TARGET/redis/release" \
		-lkvlight_redis -Wl,-rpath,"$$KVL_TARGET/redis/release" $(LINKED)
	"$$KVL_TARGET/demo/cluster" $(DEMO_SECONDS) $(PROCESSES)

test: ## Run all tests; the last line has the counts.
	tests/tiers/run all

test-rust: ## Run only the tests that cargo runs: Rust, C, C++, the header, the demos.
	tests/tiers/run rust

test-models: ## Run the models of the engine under loom, in every interleaving with two to four preemptions at most.
	tests/tiers/run models

test-abi: ## Compare the layout of structs, the constants and the symbols with the recorded ones.
	tests/tiers/run abi

test-memory: ## Run the C programs and a soak under AddressSanitizer.
	tests/tiers/run memory

test-race: ## Run the C programs and a soak under ThreadSanitizer.
	tests/tiers/run race

test-soak: ## Run one workload with every form of delivery and every fault; then create and free a thousand engines.
	tests/tiers/run soak

test-fuzz: ## Run the C API, the settings, the statistics and entries of a second tier with 32,000 random inputs, the same in each run.
	tests/tiers/run fuzz

test-mutants: ## Plant 400 small errors, one at a time, and list those that no test finds (long).
	tests/tiers/run mutants

test-coverage: ## Print how much of src the tests run.
	tests/tiers/run coverage

test-long: ## Run the long tests, which take over an hour: 5 * 10^7 keys of soak, long fuzzing, a million calls in each language, coverage, mutants.
	tests/tiers/run long

test-swift: ## Run the Swift package's tests alone.
	tests/tiers/run swift

.PHONY: bench bench-quick bench-instructions bench-swift bench-python bench-redis bench-hosts performance
bench: build ## Compare with other caches, three times; tables, plots and JSON are in target/bench. Takes ten minutes.
	bench/run

bench-quick: build ## Compare with other caches once, with fewer rounds and at most a million entries. Takes about three minutes.
	bench/run --quick

bench-instructions: ## Count the instructions of single operations under callgrind, and compare with bench/instructions.txt.
	bench/instructions

performance: ## Copy the tables of the last make bench into README.md and docs/PERFORMANCE.md.
	bench/publish "$$KVL_TARGET/bench"

bench-swift: ## Measure the Swift package; on Linux, KVL_SWIFT_ORIGINAL=FOLDER adds the library that KVLightCompat imitates. The next make bench includes the figures.
	@mkdir -p "$$KVL_TARGET/bench"
	set -o pipefail; bindings/swift/bench.sh | tee "$$KVL_TARGET/bench/swift.new" && mv "$$KVL_TARGET/bench/swift.new" "$$KVL_TARGET/bench/swift.txt"

bench-hosts: stage ## Compare the packages of the languages with the usual caches of each language; needs pip, npm and, as root, apt.
	KVL_LIB_DIR="$$KVL_STAGE/lib" KVL_INCLUDE_DIR="$$KVL_STAGE/include" bench/hosts/run "$$KVL_TARGET/bench/hosts"

bench-redis: redis ## Measure how soon 8 and 100 processes hear of another process's writes through a server, which it starts.
	KVL_LIB_DIR="$$KVL_STAGE/lib" KVL_REDIS_LIB_DIR="$$KVL_TARGET/redis/release" bench/redis

bench-python: stage ## Compare the Python module with aiodataloader and cachetools.
	KVL_LIB_DIR="$$KVL_STAGE/lib" KVL_INCLUDE_DIR="$$KVL_STAGE/include" bindings/python/bench.sh

.PHONY: test-platforms test-platforms-quick dist test-dist xcframework
test-platforms: ## Build for other systems and processors; run the C tests, the scenarios and a soak where an emulator can run them.
	tests/tiers/run platforms

test-platforms-quick: ## Run the part of test-platforms that make test includes, in two minutes: README says for which platforms.
	tests/tiers/run platforms-quick

dist: ## Create the archives of a release in target/dist: Linux (glibc 2.17, musl), Windows, macOS, an XCFramework; SHA256SUMS.
	packaging/dist "$$KVL_TARGET/dist"

test-dist: dist ## Unpack each archive in another folder, build against it, and run the programs that this machine can run.
	tests/tiers/dist/run "$$KVL_TARGET/dist"

.PHONY: test-recipes
test-recipes: ## Run the recipes for Conan, vcpkg and Homebrew, and build a program against what each installs.
	tests/tiers/run recipes

.PHONY: deb test-deb
deb: build ## Create Debian packages of the library for this machine in target/deb/packages.
	packaging/deb "$$KVL_TARGET/deb/packages"

test-deb: ## Install the Debian packages in a minimal system, and build and run a program there. Needs root.
	tests/tiers/deb/run

xcframework: ## Create target/kvlight.xcframework, which Package.swift uses on Apple's systems.
	packaging/dist "$$KVL_TARGET/xcframework" xcframework
	rm -rf "$$KVL_TARGET/kvlight.xcframework" && cp -r "$$KVL_TARGET/xcframework/kvlight-$(VERSION).xcframework" "$$KVL_TARGET/kvlight.xcframework"

.PHONY: test-redis
test-redis: ## Run the tests of libkvlight_redis with several processes and a real server, which they start.
	tests/tiers/run redis

test-hosts: ## Run the scenarios in every host.
	tests/tiers/run hosts

.PHONY: packages test-packages
packages: stage ## Build each language's package (crate, wheel, gem, jar and so on) for this platform into target/packages.
	KVL_LIB_DIR="$$KVL_STAGE/lib" KVL_INCLUDE_DIR="$$KVL_STAGE/include" KVL_REDIS_LIBRARY="$$KVL_TARGET/redis/release/libkvlight_redis.so" packaging/packages "$$KVL_TARGET/packages"

test-packages: ## Install each package into an empty environment, and run its scenarios, its tests and a million calls of each kind from there.
	KVL_CALLS=1000000 KVL_HOST_SECONDS=14400 tests/tiers/run packages

generate: ## Write all files that are generated from the sources: header, api/api.json, lists of settings and statistics, tables of the bindings.
	KVL_BLESS=1 $(CARGO) test --test header the_ -- --skip by_hand

check-generated: ## Compare the generated files with the committed ones.
	$(CARGO) test --test header the_

.PHONY: dashboard docs proof test-install
# The port on which the dashboard is served.
PORT ?= 9464

dashboard: stage ## Serve metrics and a live page of an engine under load on the loopback interface: make dashboard PORT=...
	@mkdir -p "$$KVL_TARGET/demo"
	cc -std=c11 -O2 -Wall -Wextra examples/c/metrics.c -o "$$KVL_TARGET/demo/metrics" $(LINKED)
	"$$KVL_TARGET/demo/metrics" $(PORT)

docs: ## Create the manual (guide, C API, settings, search) as static pages in target/docs. Needs Python 3 and Doxygen.
	docs/make "$$KVL_TARGET/docs"
	@echo "Open $$KVL_TARGET/docs/index.html"

test-install: ## Build programs against the installed copy alone: pkg-config, CMake, dlopen, Swift, Python, a manual page.
	tests/tiers/consumer/run

proof: ## List every rule with its tests.
	@$(CARGO) test --quiet --test proof >/dev/null
	@cat "$$KVL_TARGET/proof.md"

lint: ## Check the formatting and run clippy. Warnings are errors.
	tests/tiers/lint/run

tools: ## Install what the tests need: Debian packages, as root.
	tests/tiers/tools

DOCDIR ?= $(PREFIX)/share/doc/kvlight
MANDIR ?= $(PREFIX)/share/man
# Exported for these two targets only: a `make install` inside a test would otherwise take them from the environment.
install uninstall: export PREFIX := $(PREFIX)
install uninstall: export LIBDIR := $(LIBDIR)
install uninstall: export INCLUDEDIR := $(INCLUDEDIR)
install uninstall: export DOCDIR := $(DOCDIR)
install uninstall: export MANDIR := $(MANDIR)
install uninstall: export DESTDIR := $(DESTDIR)
install: export BUILT_REDIS := $(KVL_TARGET)/redis/release
stage install uninstall: export BUILT := $(KVL_TARGET)/release
stage install uninstall: export LIBS_PRIVATE := $(LIBS_PRIVATE)

install: ## Install libraries, headers, pkg-config file, CMake package: make install PREFIX=... DESTDIR=...
	@packaging/install install

uninstall: ## Remove the installed files; PREFIX and DESTDIR must be those of the installation.
	@packaging/install uninstall

clean: ## Remove everything that was built.
	$(CARGO) clean
