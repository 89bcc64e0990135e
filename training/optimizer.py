"""Muon for the matrices (Jordan et al. 2024), AdamW for embeddings and norms."""

from collections import defaultdict

import torch


def orthogonalise(g, steps=5):
    """Newton-Schulz iteration towards the nearest orthogonal matrix; g is [n, rows, columns]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    transposed = g.size(1) > g.size(2)
    x = g.transpose(1, 2) if transposed else g
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return x.transpose(1, 2) if transposed else x


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonalised updates whose RMS matches that of AdamW (factor 0.2 sqrt(max side))."""

    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.02):
        super().__init__(parameters, {'lr': lr, 'momentum': momentum, 'weight_decay': weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for parameter in group['params']:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for shape, parameters in by_shape.items():
                self._update(parameters, 0.2 * max(shape) ** 0.5, **{k: group[k] for k in ('lr', 'momentum', 'weight_decay')})

    def _update(self, parameters, scale, lr, momentum, weight_decay):
        looks_ahead = []
        for parameter in parameters:
            velocity = self.state[parameter].setdefault('velocity', torch.zeros_like(parameter))
            velocity.mul_(momentum).add_(parameter.grad)
            looks_ahead.append(parameter.grad.add(velocity, alpha=momentum))
        for parameter, update in zip(parameters, orthogonalise(torch.stack(looks_ahead))):
            parameter.mul_(1 - lr * weight_decay).add_(update, alpha=-lr * scale)


def optimizers(model, matrix_lr, other_lr):
    """[Muon, AdamW] over all trainable parameters; embeddings and convolutions count as "other"."""
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and 'embed' not in name and 'lm_head' not in name
        (matrices if is_matrix else others).append(parameter)
    return [Muon(matrices, matrix_lr), torch.optim.AdamW(others, other_lr, betas=(0.9, 0.95), weight_decay=0.0)]
