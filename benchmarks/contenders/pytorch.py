"""PyTorch as its users write it: `nn.Sequential`, `cross_entropy`, `torch.optim`.

eager: default options. fused: the optimizer with `fused=True`. compile: the model compiled.
cuda-graph: the whole step captured with `torch.cuda.graph`, on a GPU only.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from ..workloads import Data, Weights, Workload, initial_filters, initial_weights

VARIANTS = ("eager", "fused", "compile", "cuda-graph")
FLOATS = True


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        self.device = "cuda" if device.startswith("gpu") else "cpu"
        if variant == "cuda-graph" and self.device == "cpu":
            raise NotImplementedError("CUDA graphs need a GPU")
        self.x, self.t = torch.from_numpy(data.x).to(self.device), torch.from_numpy(data.t).to(self.device)
        self.batch = workload.batch
        self.model = self._model(workload).to(self.device)
        options = {"lr": workload.lr, "fused": True} if variant == "fused" else {"lr": workload.lr}
        if variant == "cuda-graph" and workload.optimizer == "adam":
            options["capturable"] = True
        kind = torch.optim.SGD if workload.optimizer == "sgd" else torch.optim.Adam
        self.optimizer = kind(self.model.parameters(), **options)
        self.forward: Callable = (
            torch.compile(self.model, dynamic=False) if variant == "compile" else self.model
        )
        self.step = self._captured() if variant == "cuda-graph" else self._step

    def _model(self, workload: Workload) -> nn.Sequential:
        modules: list[nn.Module] = []
        if workload.filters:
            convolution = nn.Conv2d(1, workload.filters, 5)
            with torch.no_grad():
                convolution.weight.copy_(torch.from_numpy(initial_filters(workload)))
                convolution.bias.zero_()
            image = nn.Unflatten(1, (1, 28, 28))
            modules += [image, convolution, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        weights = initial_weights(workload)
        for i, (W, b) in enumerate(weights):
            linear = nn.Linear(*W.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(W.T.copy()))
                linear.bias.copy_(torch.from_numpy(b))
            modules.append(linear)
            if i < len(weights) - 1:
                modules += [nn.BatchNorm1d(W.shape[1]), nn.ReLU()] if workload.batch_norm else [nn.ReLU()]
        return nn.Sequential(*modules)

    def _step(self) -> None:
        chosen = torch.randint(0, len(self.x), (self.batch,), device=self.device)
        loss = functional.cross_entropy(self.forward(self.x[chosen]), self.t[chosen])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def _captured(self) -> Callable[[], None]:
        start = [p.detach().clone() for p in self.model.parameters()]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step()
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), start, strict=True):
                parameter.copy_(value)
        return graph.replay

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
        if self.device == "cuda":
            torch.cuda.synchronize()

    def weights(self) -> Weights | None:
        linear = [module for module in self.model if isinstance(module, nn.Linear)]
        if len(linear) * 2 != len(list(self.model.parameters())):
            return None  # the yardstick knows affine layers only
        return [(m.weight.detach().cpu().numpy().T, m.bias.detach().cpu().numpy()) for m in linear]
