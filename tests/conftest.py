"""Settings of Hypothesis that every test uses, and what suites share: devices, the C++ library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from device_memory import ShimMemory, TorchMemory, load_shim
from embedding import ROOT, build, cmake
from hypothesis import HealthCheck, settings
from on_device import core_on_device

# Derandomized: a run that fails here fails everywhere. No deadline: machines differ.
settings.register_profile(
    "prunecell",
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("prunecell")


@pytest.fixture(scope="session")
def shim() -> None:
    """The CUDA back end over the SIMT shim."""
    load_shim()


@pytest.fixture(scope="module", params=["cpu", "shim", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Iterator[None]:
    """The device that the core works on: a suite with this fixture runs once on each."""
    if request.param == "cpu":
        yield
        return
    if request.param == "gpu":
        torch = pytest.importorskip("torch")
        if not torch.cuda.is_available():
            pytest.skip("no GPU")
    else:
        request.getfixturevalue("shim")
    with core_on_device(TorchMemory if request.param == "gpu" else ShimMemory):
        yield


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prefix of an installed C++ library."""
    place = tmp_path_factory.mktemp("library")
    build(ROOT, place / "build", "-DBUILD_SHARED_LIBS=OFF")
    cmake("--install", place / "build", "--prefix", place / "prefix")
    return place / "prefix"
