"""Muon for the matrices (Jordan et al. 2024), AdamW for embeddings and norms."""

from collections import defaultdict

import torch

FAST_BF16 = torch.cpu._is_avx512_bf16_supported()  # elsewhere bfloat16 is emulated, ten times slower than float32


def orthogonalise(g, steps=5):
    """Newton-Schulz iteration towards the nearest orthogonal matrix; g is [n, rows, columns]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    g = g.to(torch.bfloat16) if FAST_BF16 else g
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


def optimizers(model, matrix_lr, other_lr, tower_rate=1.0):
    """[Muon, AdamW] over all parameters; embeddings and convolutions count as "other", the tower learns slower.

    Each group carries its full learning rate as `full_lr`, for schedules to scale.
    """
    matrices, others = defaultdict(list), defaultdict(list)
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and 'embed' not in name and 'lm_head' not in name
        (matrices if is_matrix else others)[tower_rate if 'vision_tower' in name else 1.0].append(parameter)
    groups = lambda sorts, lr: [{'params': sort, 'lr': scale * lr, 'full_lr': scale * lr} for scale, sort in sorts.items()]
    return [Muon(groups(matrices, matrix_lr), matrix_lr),
            torch.optim.AdamW(groups(others, other_lr), other_lr, betas=(0.9, 0.95), weight_decay=0.0)]
