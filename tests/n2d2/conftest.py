"""The suite needs PyTorch."""

from torch_suite import pytest_pycollect_makemodule, seeded

__all__ = ["pytest_pycollect_makemodule", "seeded"]
