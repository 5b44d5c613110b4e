# make demo   trains and prunes a network on real digits
# make test   everything: Python, C++ (optimized, serial, sanitized), CUDA sources executed on the host, embedding
# make lint   formatting and types, as the tests see them
#
# Each target makes its own virtual environment under .venv and installs what it needs into it.

PYTHON ?= python3
# Idle OpenMP threads sleep instead of spinning: on a busy machine the spinning takes the time of the others.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test test-python test-native lint clean

demo: .venv/demo/ready
	.venv/demo/bin/python examples/mnist.py

test: test-python test-native

test-python: .venv/test/ready
	.venv/test/bin/python -m pytest

test-native: .venv/test/ready
	.ci/test-native release serial sanitize simt simt-sanitize simt-thread

lint: .venv/test/ready
	.venv/test/bin/ruff check .
	.venv/test/bin/ruff format --check .
	.venv/test/bin/mypy
	git ls-files '*.cpp' '*.hpp' '*.h' '*.cu' '*.cuh' | xargs .venv/test/bin/clang-format --dry-run --Werror

# The package is installed as its users install it, never put on the path; make sees to it that it is current.
SOURCES := $(shell find csrc python/prunecell -name '*.so' -prune -o -type f -print) CMakeLists.txt pyproject.toml

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

clean:
	rm -rf .venv build
