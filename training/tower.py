"""Trains the vision tower to label its own patches: `python tower.py --minutes 14`; run again, it goes on.

A patch is told the shape, colour, size, texture and cell of the thing that it belongs to, and its role: being the
middle of a thing, or lying in an empty cell. With these a picture is a list of words, and `projector.py` makes it one.
"""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import SiglipVisionModel

import attention  # noqa: F401 registers 'blocked'
from model import IMAGE_TOKENS, SEEN_LAYER, vision_config
from optimizer import FAST_BF16, optimizers
from scenes import CELL, CELLS, COLOURS, PATCH, SHAPES, SIDE, SIZES, TEXTURES, centre, invent, pixels, render

OUT = Path(__file__).parent / 'runs' / 'tower.pt'
ROLES = ['middle', 'empty']
LABELS = {'shape': SHAPES, 'colour': list(COLOURS), 'size': list(SIZES), 'texture': TEXTURES, 'cell': CELLS, 'role': ROLES}
COVER = 0.25  # a patch belongs to a thing that covers at least this share of it
WEIGHTS = {'role': 4, 'shape': 2}  # in the loss: few patches are middles, and shapes are learnt last


def patch_owners(owner):
    """Index of the thing that covers most of each patch, or -1; [IMAGE_TOKENS]."""
    grid = SIDE // PATCH
    blocks = owner.reshape(grid, PATCH, grid, PATCH).transpose(0, 2, 1, 3).reshape(IMAGE_TOKENS, -1)
    counts = np.stack([(blocks == index).sum(1) for index in range(max(1, owner.max() + 1))], 1)
    return np.where(counts.max(1) >= COVER * PATCH * PATCH, counts.argmax(1), -1)


def middle(thing):
    """Row and column of the patch in the middle of a thing."""
    x, y = (at // PATCH for at in centre(thing))
    return y, x


def thing_of_patch(scene, owner):
    """Like patch_owners, but the middle of a thing belongs to that thing even where it is hollow."""
    owners = patch_owners(owner)
    for index, thing in enumerate(scene.things):
        owners[np.ravel_multi_index(middle(thing), (SIDE // PATCH,) * 2)] = index
    return owners


def patch_classes(scene, owner):
    """Per label the class of every patch, 0 for none: [labels, IMAGE_TOKENS].

    The role of a patch is to be the middle of a thing, or to lie in a cell that has no thing.
    """
    owners, roles = thing_of_patch(scene, owner), np.full((SIDE // PATCH,) * 2, 1 + ROLES.index('empty'))
    cell = CELL // PATCH
    for thing in scene.things:
        down, across = (cell * at for at in divmod(thing.cell, 3))
        roles[down : down + cell, across : across + cell] = 0
    for thing in scene.things:
        roles[middle(thing)] = 1 + ROLES.index('middle')
    of = lambda label: np.array([class_of(label, getattr(thing, label)) for thing in scene.things] + [0])[owners]
    return np.array([roles.reshape(-1) if label == 'role' else of(label) for label in LABELS])


def class_of(label, value):
    """The class of a label's value; cells are numbered already."""
    return 1 + (value if label == 'cell' else LABELS[label].index(value))


def example(rng):
    """Pixels and, per label, the class of every patch; emptier scenes, which teach less, are rarer than in `invent`."""
    scene = invent(rng)
    while len(scene.things) < rng.randrange(8):
        scene = invent(rng)
    picture, owner = render(scene)
    return pixels(picture), patch_classes(scene, owner)


class Labeller(torch.nn.Module):
    """The tower with one linear classifier per label on every patch feature."""

    def __init__(self):
        super().__init__()
        self.tower = SiglipVisionModel(vision_config())
        self.tower.set_attn_implementation('blocked')
        width = self.tower.config.hidden_size
        self.heads = torch.nn.ModuleList(torch.nn.Linear(width, 1 + len(names)) for names in LABELS.values())

    def forward(self, images):
        features = self.tower(images, output_hidden_states=True).hidden_states[SEEN_LAYER]
        return [head(features) for head in self.heads]


def train_tower(minutes, batch=24, lr=4e-3, seed=9):
    """Prints, now and then, the share of the things' middles labelled right per label; saves the tower."""
    torch.manual_seed(seed)
    rng, model = random.Random(seed), Labeller()
    weights = [WEIGHTS.get(label, 1) for label in LABELS]
    if OUT.exists():
        model.load_state_dict(torch.load(OUT, weights_only=True))
    steppers = optimizers(model, lr, lr)
    began, step = time.time(), 0
    while (spent := (time.time() - began) / (60 * minutes)) < 1:
        images, classes = map(np.stack, zip(*(example(rng) for _ in range(batch))))
        images, classes = torch.from_numpy(images), torch.from_numpy(classes)
        with torch.autocast('cpu', torch.bfloat16, enabled=FAST_BF16):
            logits = model(images)
        loss = sum(weight * F.cross_entropy(logit.float().transpose(1, 2), classes[:, i])
                   for i, (logit, weight) in enumerate(zip(logits, weights)))
        model.zero_grad(set_to_none=True)
        loss.backward()
        for stepper in steppers:
            for group in stepper.param_groups:
                group['lr'] = lr * min(1, (step + 1) / 50, 4 * (1 - spent))
            stepper.step()
        step += 1
        if step % 25 == 0:
            covered = classes[:, -1] == 1 + ROLES.index('middle')
            shares = [(logit.argmax(-1) == classes[:, i])[covered].float().mean() for i, logit in enumerate(logits)]
            named = ' '.join(f'{label} {share:.3f}' for label, share in zip(LABELS, shares))
            print(f'{time.strftime("%H:%M:%S")} step {step} loss {loss.item():.3f} {named} {spent:.0%} of the time', flush=True)
            torch.save(model.state_dict(), OUT)
    torch.save(model.state_dict(), OUT)


if __name__ == '__main__':
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument('--minutes', type=float, default=6)
    arguments.add_argument('--threads', type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    train_tower(options.minutes)
