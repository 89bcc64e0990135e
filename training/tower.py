"""Trains the vision tower to label its own patches (shape, colour, size, texture): `python tower.py --minutes 6`."""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import SiglipVisionModel

from model import IMAGE_TOKENS, SEEN_LAYER, vision_config
from optimizer import optimizers
from scenes import COLOURS, PATCH, SHAPES, SIDE, SIZES, TEXTURES, invent, pixels, render

OUT = Path(__file__).parent / 'runs' / 'tower.pt'
LABELS = {'shape': SHAPES, 'colour': list(COLOURS), 'size': list(SIZES), 'texture': TEXTURES}
COVER = 0.25  # a patch belongs to a thing that covers at least this share of it


def patch_owners(owner):
    """Index of the thing that covers most of each patch, or -1; [IMAGE_TOKENS]."""
    grid = SIDE // PATCH
    blocks = owner.reshape(grid, PATCH, grid, PATCH).transpose(0, 2, 1, 3).reshape(IMAGE_TOKENS, -1)
    counts = np.stack([(blocks == index).sum(1) for index in range(max(1, owner.max() + 1))], 1)
    return np.where(counts.max(1) >= COVER * PATCH * PATCH, counts.argmax(1), -1)


def example(rng):
    """Pixels and, per label, the class of every patch (0 is background)."""
    scene = invent(rng)
    picture, owner = render(scene)
    owners = patch_owners(owner)
    classes = [
        [0 if index < 0 else 1 + names.index(getattr(scene.things[index], label)) for index in owners]
        for label, names in LABELS.items()
    ]
    return pixels(picture), np.array(classes)


class Labeller(torch.nn.Module):
    """The tower with one linear classifier per label on every patch feature."""

    def __init__(self):
        super().__init__()
        self.tower = SiglipVisionModel(vision_config())
        width = self.tower.config.hidden_size
        self.heads = torch.nn.ModuleList(torch.nn.Linear(width, 1 + len(names)) for names in LABELS.values())

    def forward(self, images):
        features = self.tower(images, output_hidden_states=True).hidden_states[SEEN_LAYER]
        return [head(features) for head in self.heads]


def train_tower(minutes, batch=24, lr=2e-3, seed=7):
    """Prints, now and then, the share of thing-covered patches labelled right per label; saves the tower."""
    torch.manual_seed(seed)
    rng, model = random.Random(seed), Labeller()
    steppers = optimizers(model, lr, lr)
    began, step = time.time(), 0
    while (spent := (time.time() - began) / (60 * minutes)) < 1:
        images, classes = map(np.stack, zip(*(example(rng) for _ in range(batch))))
        images, classes = torch.from_numpy(images), torch.from_numpy(classes)
        logits = model(images)
        loss = sum(F.cross_entropy(logit.transpose(1, 2), classes[:, i]) for i, logit in enumerate(logits))
        model.zero_grad(set_to_none=True)
        loss.backward()
        for stepper in steppers:
            for group in stepper.param_groups:
                group['lr'] = lr * min(1, (step + 1) / 50, 4 * (1 - spent))
            stepper.step()
        step += 1
        if step % 25 == 0:
            covered = classes[:, 0] > 0
            shares = [(logit.argmax(-1) == classes[:, i])[covered].float().mean() for i, logit in enumerate(logits)]
            named = ' '.join(f'{label} {share:.3f}' for label, share in zip(LABELS, shares))
            print(f'{time.strftime("%H:%M:%S")} step {step} loss {loss.item():.3f} {named} {spent:.0%} of the time', flush=True)
            torch.save(model.tower.state_dict(), OUT)
    torch.save(model.tower.state_dict(), OUT)


if __name__ == '__main__':
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument('--minutes', type=float, default=6)
    arguments.add_argument('--threads', type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    train_tower(options.minutes)
