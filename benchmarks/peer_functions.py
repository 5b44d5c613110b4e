"""Peers that are one function of numpy or PyTorch, or the reference's algorithm."""

from __future__ import annotations

from typing import Any

import numpy as np
import prunecell
import torch
from floor import Floor
from peer import DELTA, THRESHOLD, Job, Weights, need


def ours(weights: Weights, _: Floor, threads: int) -> Job:
    mask = prunecell.Mask(weights.shape)

    def work() -> Any:
        return prunecell.build_mask(
            weights, threshold=THRESHOLD, delta=DELTA, out=mask, threads=threads
        )

    return Job(work, kept=np.asarray)


def ours_random(weights: Weights, _: Floor, threads: int) -> Job:
    mask = prunecell.Mask(weights.shape)

    def work() -> Any:
        return prunecell.build_mask(
            weights, filler="Random", threshold=THRESHOLD, out=mask, threads=threads
        )

    return Job(work, kept=np.asarray, random=True)


def reference(name: str, weights: Weights, floor: Floor) -> Job:
    words = np.ones(weights.shape, np.uint32)

    def work() -> Any:
        floor.reference(name, weights, THRESHOLD, DELTA, words)
        return words

    return Job(work, kept=lambda answer: answer != 0)


def numpy_partition(weights: Weights, *_: Any) -> Job:
    at = need(weights.size) - 1
    flat = weights.reshape(-1)
    return Job(lambda: np.partition(np.abs(flat), at)[at], value=float)


def numpy_partition_mask(weights: Weights, *_: Any) -> Job:
    at = need(weights.size) - 1

    def work() -> Any:
        magnitudes = np.abs(weights.reshape(-1))
        return magnitudes > np.partition(magnitudes, at)[at]

    return Job(work, kept=lambda answer: answer)


def numpy_quantile(weights: Weights, *_: Any) -> Job:
    flat = weights.reshape(-1)
    return Job(lambda: np.quantile(np.abs(flat), np.float32(THRESHOLD)), value=float)


def torch_topk(weights: Weights, *_: Any) -> Job:
    tensor = torch.from_numpy(weights).reshape(-1)

    def kept(answer: Any) -> Any:
        mask = np.ones(tensor.numel(), bool)
        mask[answer.indices.numpy()] = False
        return mask

    return Job(lambda: torch.topk(tensor.abs(), need(tensor.numel()), largest=False), kept=kept)


def torch_kthvalue(weights: Weights, *_: Any) -> Job:
    tensor = torch.from_numpy(weights).reshape(-1)
    return Job(
        lambda: torch.kthvalue(tensor.abs(), need(tensor.numel())),
        value=lambda answer: float(answer.values),
    )


def torch_quantile(weights: Weights, *_: Any) -> Job:
    tensor = torch.from_numpy(weights).reshape(-1)
    one_more = torch.empty(tensor.numel() + 1)
    try:
        torch.quantile(one_more, THRESHOLD)
        note = ""
    except RuntimeError:
        note = f"; refuses more than {tensor.numel()} weights"
    return Job(lambda: torch.quantile(tensor.abs(), THRESHOLD), value=float, note=note)


def torch_sort(weights: Weights, *_: Any) -> Job:
    tensor = torch.from_numpy(weights).reshape(-1)
    at = need(tensor.numel()) - 1
    return Job(lambda: torch.sort(tensor.abs()).values[at], value=float)
