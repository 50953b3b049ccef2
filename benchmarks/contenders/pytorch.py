"""PyTorch as its users write it: `nn.Sequential`, `cross_entropy`, `torch.optim`.

eager: default options. fused: the optimizer with `fused=True`. compile: the model compiled.
channels-last: images and filters in that memory format, and the fused optimizer. cuda-graph: the whole
step captured with `torch.cuda.graph`, on a GPU only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ..memory import held_by_torch
from ..precision import set_torch
from ..workloads import (
    ADAM_BETAS,
    ADAM_EPSILON,
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    Data,
    Weights,
    Workload,
    initial_weights,
)

VARIANTS = ("eager", "fused", "compile", "channels-last", "cuda-graph")
FLOATS = True


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        torch.manual_seed(0)
        set_torch(torch)
        self.device = "cuda" if device.startswith("gpu") else "cpu"
        if variant == "cuda-graph" and self.device == "cpu":
            raise NotImplementedError("CUDA graphs need a GPU")
        if variant == "channels-last" and not workload.filters:
            raise NotImplementedError("a memory format of images: W3 only")
        self.x, self.t = torch.from_numpy(data.x).to(self.device), torch.from_numpy(data.t).to(self.device)
        self.batch = workload.batch
        self.model = _model(workload).to(self.device)
        if workload.filters:
            self.x = self.x.reshape(-1, 1, 28, 28)
        if variant == "channels-last":
            self.x = self.x.to(memory_format=torch.channels_last)
            self.model = self.model.to(memory_format=torch.channels_last)
        options: dict[str, Any] = {"lr": workload.lr}
        if variant in ("fused", "channels-last"):
            options["fused"] = True
        if workload.optimizer == "adam":  # epsilon stands inside the correction of v here, not outside
            options |= {"betas": ADAM_BETAS, "eps": ADAM_EPSILON, "capturable": variant == "cuda-graph"}
        kind = torch.optim.SGD if workload.optimizer == "sgd" else torch.optim.Adam
        self.optimizer = kind(self.model.parameters(), **options)
        self.forward: Callable = (
            torch.compile(self.model, dynamic=False) if variant == "compile" else self.model
        )
        self.step = self._captured() if variant == "cuda-graph" else self._step

    def _step(self) -> None:
        chosen = torch.randint(0, len(self.x), (self.batch,), device=self.device)
        loss = functional.cross_entropy(self.forward(self.x[chosen]), self.t[chosen])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def _captured(self) -> Callable[[], None]:
        start = deepcopy(self.model.state_dict())
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step()
        self.model.load_state_dict(start)  # in place, where the graph reads
        for state in self.optimizer.state.values():
            for value in state.values():
                if value is not None:
                    value.zero_()
        return graph.replay

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
        if self.device == "cuda":
            torch.cuda.synchronize()

    def device_mb(self) -> float | None:
        return held_by_torch(torch) if self.device == "cuda" else None

    def weights(self) -> Weights | None:
        values = {name: p.detach().cpu().numpy() for name, p in _named(self.model).items()}
        return {name: value.T if value.ndim == 2 else value for name, value in values.items()}


def _model(workload: Workload) -> nn.Sequential:
    modules: list[nn.Module] = []
    if workload.filters:
        modules += [nn.Conv2d(1, workload.filters, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    for rows, columns in pairwise(workload.sizes):
        modules.append(nn.Linear(rows, columns))
        if workload.batch_norm:
            momentum = 1.0 - BATCH_NORM_MOMENTUM  # PyTorch's is the share of the batch
            modules.append(nn.BatchNorm1d(columns, eps=BATCH_NORM_EPSILON, momentum=momentum))
        modules.append(nn.ReLU())
    model = nn.Sequential(*modules[: -2 if workload.batch_norm else -1])
    start = initial_weights(workload)
    with torch.no_grad():
        for name, parameter in _named(model).items():
            value = torch.from_numpy(start[name])
            parameter.copy_(value.T if value.ndim == 2 else value)
    return model


def _named(model: nn.Sequential) -> dict[str, nn.Parameter]:
    """The model's parameters by the book's names."""
    named, i = {}, 0
    for module in model:
        if isinstance(module, nn.BatchNorm1d):
            named[f"gamma{i}"], named[f"beta{i}"] = module.weight, module.bias
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            i += 1
            named[f"W{i}"], named[f"b{i}"] = module.weight, module.bias
    return named
