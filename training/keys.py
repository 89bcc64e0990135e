"""Fits the keys of the tower's last layer, by whose likeness visual tokens are merged and which nothing else uses.

Merging takes every second token, whatever it is, into the one that it is most like. Keys are good if things stay
apart all the same: if each of them still has a token that is mostly its own, because what has to merge with something
else finds a token that nobody needs.
"""

import random
import time

import numpy as np
import torch
import torch.nn.functional as F

from merging import keys_of
from model import SEEN_LAYER
from optimizer import FAST_BF16
from scenes import invent, pixels, render
from tower import thing_of_patch

SHARPNESS = 30  # of the soft choice whose gradient stands for that of the hard one
HALVINGS = 3
LEAST = 0.02  # share below which a thing counts as lost


def example(rng):
    """Pixels, and the thing that each patch belongs to, or -1."""
    scene = invent(rng)
    picture, owner = render(scene)
    return pixels(picture), thing_of_patch(scene, owner)


def halved(rows, keys):
    """Merges all sources, hard forwards and soft backwards: rows and keys of the destinations."""
    unit = F.normalize(keys, dim=-1)
    likeness = unit[:, ::2] @ unit[:, 1::2].transpose(1, 2)
    soft = torch.softmax(SHARPNESS * likeness, -1)
    goes = (F.one_hot(likeness.argmax(-1), soft.size(-1)) + soft - soft.detach()).transpose(1, 2)
    mean = lambda x: (x[:, 1::2] + goes @ x[:, ::2]) / (1 + goes.sum(-1, keepdim=True))
    return mean(rows), mean(keys)


def held_loss(keys, owners):
    """-log of the share that a thing has in its best token, after every halving."""
    shares = F.one_hot(owners + 1)[..., 1:].float()
    there, loss = shares.any(1), 0
    for _ in range(HALVINGS):
        shares, keys = halved(shares, keys)
        loss -= shares.amax(1)[there].clamp(min=LEAST).log().mean()
    return loss


def fit_keys(model, steps=400, batch=16, lr=3e-3, seed=7):
    """Trains norm and keys of the tower's last layer alone; prints the loss."""
    torch.manual_seed(seed)
    rng, tower = random.Random(seed), model.model.vision_tower
    layer = tower.encoder.layers[-1]
    stepper = torch.optim.AdamW([*layer.layer_norm1.parameters(), *layer.self_attn.k_proj.parameters()], lr, weight_decay=0.0)
    for step in range(steps):
        images, owners = (torch.from_numpy(np.stack(column)) for column in zip(*(example(rng) for _ in range(batch))))
        with torch.no_grad(), torch.autocast('cpu', torch.bfloat16, enabled=FAST_BF16):
            states = tower(images, output_hidden_states=True).hidden_states[SEEN_LAYER].float()
        loss = held_loss(keys_of(layer, states), owners)
        stepper.param_groups[0]['lr'] = lr * min(1, (step + 1) / 30, 2 * (1 - step / steps))
        stepper.zero_grad()
        loss.backward()
        stepper.step()
        if step % 50 == 49:
            print(f'{time.strftime("%H:%M:%S")} keys {step + 1}: loss {loss.item():.3f}', flush=True)
