"""The oracle against what others have published or measured."""

import golden
import numpy as np
import oracle
import pytest


# The known answers of the authors' library (Random123, kat_vectors, philox4x32 with 10 rounds).
@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ("00000000" * 4, "00000000" * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff" * 4, "ffffffff" * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            "243f6a8885a308d313198a2e03707344",
            "a4093822299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_its_published_answers(counter: str, key: str, answer: str) -> None:
    words = [int(counter[i : i + 8], 16) for i in range(0, 32, 8)]
    k0, k1 = int(key[:8], 16), int(key[8:], 16)
    found = oracle.philox4x32(tuple(words), (k0, k1))
    assert " ".join(f"{int(word):08x}" for word in found) == answer


@pytest.mark.parametrize("k", [0, 1, 2**24, 2**24 + 1, 2**24 + 3, 2**40 + 2**15, 2**63 - 1])
def test_integers_round_once(k: int) -> None:
    assert oracle.f32_of_int(k) == np.int64(k).astype(np.float32)


def test_need_divides_in_float32_below_two_to_the_24th() -> None:
    assert oracle.need(20, 0.05) == 1  # in double it would be 2
    assert oracle.need(0, 0.5) == 0
    assert oracle.need(2**24, 1.0) == 2**24


@pytest.mark.parametrize(
    "name",
    [c["id"] for c in golden.MANIFEST["iter_nonstruct"] if c["id"] not in golden.REFUSED_MASKS],
)
def test_the_oracle_agrees_with_the_reference_system(name: str) -> None:
    case = golden.by_id("iter_nonstruct", name)
    arrays = golden.load(case)
    made = oracle.iter_nonstruct(arrays["weights"], float(case["threshold"]), float(case["delta"]))
    assert (made.level, made.zeros) == (case["k"], case["zeros"])
    assert np.array_equal(made.kept, arrays["mask"])


def test_names_are_hashed_by_fnv_1a() -> None:
    # With seed 0 the finalizer is a bijection of the digest; that of "" is the offset basis.
    assert oracle.derive_seed(0xCBF29CE484222325, "") == 0
    assert oracle.derive_seed(0xAF63DC4C8601EC8C, "a") == 0
