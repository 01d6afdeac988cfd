# SPDX-License-Identifier: Apache-2.0
# The commands people type.  The build itself is meson and ninja.
#
#   make            build weftd and weft in build/
#   make demo       install what is missing, build, show the product
#   make check      everything that must pass before a change lands
#   make help       all targets

NPROC ?= $(shell nproc)
JOBS ?= $(NPROC)
BUILD ?= build
PREFIX ?= /usr/local
PYTHON ?= /usr/bin/python3
# Only what must be root asks for it, and only when it has to.
SUDO ?= $(if $(filter 0,$(shell id -u)),,sudo)
# Seconds per target of 'make fuzz'.
FUZZ_SECONDS ?= 60

# Debian 12's compilers are the ones that count: their warnings are errors.
MESON_SETUP = meson setup --prefix=$(PREFIX) -Dwerror=true
# All errors at once, not only the first.
NINJA = ninja -k0 -j$(JOBS)
MESON_TEST = meson test --no-rebuild --print-errorlogs --num-processes=$(JOBS)
FAST_SUITES = --no-suite system --no-suite contract --no-suite lint
PROJECT_FILES = $(PYTHON) tools/project-files

.PHONY: all help deps deps-check build demo check check-gcc check-clang check-asan \
        asan fuzz bench lint tidy format install clean

all: build

help:
	@echo "make deps     install Debian packages, build libopenvswitch (root)"
	@echo "make build    build weftd and weft in $(BUILD)/"
	@echo "make demo     build, then show a cloud of three hypervisors (root)"
	@echo "make check    gcc and clang builds, all tests, sanitizers, lint (root)"
	@echo "make lint     layers, house rules, format, spelling, cppcheck"
	@echo "make format   let clang-format rewrite the C sources"
	@echo "make tidy     clang-tidy (slow)"
	@echo "make asan     build and test with address and undefined sanitizers"
	@echo "make fuzz     run each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)"
	@echo "make bench    measure; writes $(BUILD)/bench.json (root)"
	@echo "make install  install under PREFIX=$(PREFIX) (root)"
	@echo "make clean    remove the build directories"

deps:
	@$(SUDO) tools/deps plain >/dev/null

deps-check:
	@$(SUDO) tools/deps --check plain asan >/dev/null

$(BUILD)/build.ninja:
	$(MESON_SETUP) $(BUILD)

build: $(BUILD)/build.ninja
	$(NINJA) -C $(BUILD)

# 'demo' builds only the two programs: tests take longer than the product.
demo: deps
	@test -e $(BUILD)/build.ninja || $(MESON_SETUP) $(BUILD)
	@$(NINJA) -C $(BUILD) src/weftd cli/weft
	@$(SUDO) $(PYTHON) demo/demo.py --build $(BUILD)

# One build after the other: each uses all cores, and the output stays
# readable.  With 'make -k' a failure in one does not hide the others'.
check: check-gcc check-clang check-asan
	@echo "make check: all passed"

check-gcc: deps-check
	@echo "== gcc, warnings are errors, all suites"
	@test -e build/build.ninja || $(MESON_SETUP) build
	$(NINJA) -C build
	$(SUDO) $(MESON_TEST) -C build

check-clang: deps-check
	@echo "== clang, warnings are errors"
	@test -e build-clang/build.ninja || \
	    CC=clang $(MESON_SETUP) build-clang
	$(NINJA) -C build-clang

check-asan: deps-check
	@echo "== address and undefined sanitizers"
	@test -e build-asan/build.ninja || $(MESON_SETUP) \
	    -Db_sanitize=address,undefined build-asan
	$(NINJA) -C build-asan
	$(MESON_TEST) -C build-asan --timeout-multiplier=4 $(FAST_SUITES)

asan: check-asan

fuzz: deps-check
	@test -e build-fuzz/build.ninja || CC=clang $(MESON_SETUP) \
	    -Dfuzzing=true -Db_sanitize=address,undefined -Db_lundef=false \
	    build-fuzz
	$(NINJA) -C build-fuzz
	tools/fuzz build-fuzz $(FUZZ_SECONDS)

bench: deps build
	$(SUDO) $(NINJA) -C $(BUILD) bench

lint: deps-check
	@test -e $(BUILD)/build.ninja || $(MESON_SETUP) $(BUILD)
	@tools/lint

tidy: deps-check $(BUILD)/build.ninja
	$(PROJECT_FILES) --sources | \
	    xargs -n 4 -P $(JOBS) clang-tidy --quiet -p $(BUILD)

format: deps-check
	$(PROJECT_FILES) --formatted | xargs clang-format -i

# PREFIX is compiled in, so a build made for another one is made again.
install: $(BUILD)/build.ninja
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	$(NINJA) -C $(BUILD)
	$(SUDO) meson install --no-rebuild -C $(BUILD)

clean:
	rm -rf build build-clang build-asan build-fuzz
