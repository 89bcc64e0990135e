"""Starts the projector of a vision run: every visual token is to be the sum of the embeddings of the words that
describe its patch, so that the decoder reads a picture with the heads that it already reads text with."""

import random
import time

import numpy as np
import torch

from model import IMAGE_TOKENS, SEEN_LAYER
from optimizer import FAST_BF16
from scenes import CELLS, COLOURS, PATCH, SHAPES, SIDE, SIZES, TEXTURES
from tower import LABELS, ROLES, example

LENGTH = 4.0  # about that of a trained embedding
# label -> (words of its classes, loudness in the sum)
WORDS = {
    'shape': (SHAPES, 0.7), 'colour': (list(COLOURS), 0.7), 'size': (list(SIZES), 0.4), 'texture': (TEXTURES, 0.4),
    'cell': (CELLS, 0.4), 'role': (['middle', 'empty'], 0.7),
}


def own_cells():
    """The cell class that each patch lies in: [IMAGE_TOKENS]."""
    third = SIDE // PATCH // 3
    row, column = np.divmod(np.arange(IMAGE_TOKENS), SIDE // PATCH)
    return 1 + 3 * (row // third) + column // third


def coined_vectors(width):
    """Fixed vectors for what has no word of its own: the middle of a thing, the middle row, the middle column."""
    drawn = torch.randn(3, width, generator=torch.Generator().manual_seed(11))
    return LENGTH * torch.nn.functional.normalize(drawn, dim=1)


def word_tables(embedding, tokenizer):
    """Per label the vectors of its classes, the first (none) being zero: [1 + classes, width] each.

    The words of a label start equally long and without what they have in common, so that they tell things apart.
    """
    vectors = lambda words: apart(embedding[[tokenizer(f' {word}', add_special_tokens=False).input_ids[0] for word in words]])
    middle, row, column = coined_vectors(embedding.size(1))
    left, right, top, bottom, empty = vectors(['left', 'right', 'top', 'bottom', 'empty'])
    across, down = {'left': left, 'right': right}, {'top': top, 'bottom': bottom}
    beside = lambda cell: next((across[side] for side in across if side in cell), column)
    above = lambda cell: next((down[side] for side in down if side in cell), row)
    def of(label, words):
        if label == 'cell':
            return torch.stack([beside(cell) + above(cell) for cell in CELLS])
        return torch.stack([middle, empty]) if label == 'role' else vectors(words)
    none = torch.zeros(1, embedding.size(1))
    return [torch.cat([none, loudness * of(label, words)]) for label, (words, loudness) in WORDS.items()]


def apart(vectors):
    """Less their mean, and of length LENGTH."""
    return LENGTH * torch.nn.functional.normalize(vectors - vectors.mean(0), dim=1)


def described(classes, tables):
    """classes [..., labels] of patches -> what their visual tokens should be: [..., width]."""
    return sum(table[classes[..., i]] for i, table in enumerate(tables))


def with_cells(classes):
    """Patch classes [IMAGE_TOKENS, labels] in which patches of no thing name the cell that they lie in."""
    classes, cell = classes.copy(), list(LABELS).index('cell')
    classes[:, cell] = np.where(classes[:, cell] > 0, classes[:, cell], own_cells())
    return classes


def few_patches(classes, rng, most):
    """The middles, one patch of every empty cell, and a share (up to `most`) of the rest, in their order."""
    roles, kept, cells = classes[:, list(LABELS).index('role')], [], set()
    share = most * rng.random()
    for patch, (role, cell) in enumerate(zip(roles, own_cells())):
        first_of_empty = ROLES[role - 1] == 'empty' and role > 0 and cell not in cells
        if first_of_empty:
            cells.add(cell)
        if first_of_empty or (role > 0 and ROLES[role - 1] == 'middle') or rng.random() < share:
            kept.append(patch)
    return classes[kept]


def start_projector(model, tokenizer, steps=300, batch=16, lr=3e-3, seed=5):
    """Fits the projector alone; prints the share of the variance that is explained."""
    torch.manual_seed(seed)
    rng, projector, tower = random.Random(seed), model.model.multi_modal_projector, model.model.vision_tower
    tables = [table.detach() for table in word_tables(model.model.language_model.embed_tokens.weight, tokenizer)]
    stepper = torch.optim.AdamW(projector.parameters(), lr, weight_decay=0.0)
    for step in range(steps):
        images, classes = (torch.from_numpy(np.stack(column)) for column in zip(*(example(rng) for _ in range(batch))))
        wanted = described(torch.stack([torch.from_numpy(with_cells(c.T.numpy())) for c in classes]), tables)
        with torch.autocast('cpu', torch.bfloat16, enabled=FAST_BF16):
            with torch.no_grad():
                features = tower(images, output_hidden_states=True).hidden_states[SEEN_LAYER]
            made = projector(features)
        loss = (made.float() - wanted).square().mean()
        stepper.param_groups[0]['lr'] = lr * min(1, (step + 1) / 30, 2 * (1 - step / steps))
        stepper.zero_grad()
        loss.backward()
        stepper.step()
        if step % 50 == 49:
            print(f'{time.strftime("%H:%M:%S")} projector {step + 1}: {1 - loss.item() / wanted.var().item():.1%} explained', flush=True)
