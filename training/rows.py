"""Training rows: conversations packed into a fixed number of tokens, loss on the answers only."""

import random

import torch

from generate import SKILLS, sample
from generate.item import draw_scene
from generate.look import question as look_question
from model import IMAGE_TOKENS
from scenes import pixels, render

IGNORED = -100


class Rows:
    """Every row is one conversation that starts at position 0 and goes on, task after task, until it is full.

    That is packing and multi-turn practice at once: later tasks follow unrelated earlier turns, as in a chat.
    A share `echo` of the rows is a random string of tokens said again and again, which forms the copying heads
    early; a share `images` is one picture with many questions.
    """

    def __init__(self, tokenizer, length, mix, seed, echo, images):
        self.tokenizer, self.length, self.echo = tokenizer, length, echo
        self.skills, self.weights = list(mix), list(mix.values())
        self.images = images
        self.rng = random.Random(seed)

    def row(self):
        """(ids, labels, pixels or None); ids and labels are `length` long."""
        kind = self.rng.random()
        if kind < self.echo:
            return *self.echo_row(), None
        return self.look_row() if kind < self.echo + self.images else (*self.talk_row(), None)

    def talk_row(self):
        ids, labels = [], []
        if self.rng.random() < 0.1:
            self.add(ids, labels, '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n', learn=False)
        while len(ids) < self.length:
            skill = self.rng.choices(self.skills, self.weights)[0]
            for question, answer in sample(skill, self.rng).turns:
                self.exchange(ids, labels, question, answer)
        return ids[: self.length], labels[: self.length]

    def look_row(self):
        """One picture and as many questions about it as fit."""
        scene = draw_scene(self.rng)
        image = '<image>' * IMAGE_TOKENS + '\n'
        ids, labels = [], []
        while len(ids) < self.length:
            question, answer = look_question(scene, self.rng).turns[0]
            self.exchange(ids, labels, image + question, answer)
            image = ''
        return ids[: self.length], labels[: self.length], pixels(render(scene)[0])

    def exchange(self, ids, labels, question, answer):
        self.add(ids, labels, f'<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n', learn=False)
        self.add(ids, labels, f'{answer}<|im_end|>', learn=True)
        self.add(ids, labels, '\n', learn=False)

    def add(self, ids, labels, text, learn):
        piece = self.tokenizer(text, add_special_tokens=False).input_ids
        ids += piece
        labels += piece if learn else [IGNORED] * len(piece)

    def echo_row(self):
        half = self.length // 2
        start = self.rng.randrange(4, half)
        said = [self.rng.randrange(300, self.tokenizer.vocab_size) for _ in range(start)]
        ids = (said * (self.length // start + 1))[: self.length]
        return ids, [IGNORED] * start + ids[start:]

    def batch(self, size):
        """ids and labels [size, length], pixels [pictures, 3, side, side] or None.

        Labels are already shifted to sit under the token before them.
        """
        ids, labels, pictures = zip(*(self.row() for _ in range(size)))
        ids, labels = torch.tensor(ids), torch.tensor(labels)
        pictures = [torch.from_numpy(picture) for picture in pictures if picture is not None]
        shifted = torch.cat([labels[:, 1:], torch.full((size, 1), IGNORED)], 1)
        return ids, shifted, torch.stack(pictures) if pictures else None


def known_skills(mix):
    """Refuses a mix that names a skill without a generator."""
    unknown = set(mix) - set(SKILLS)
    if unknown:
        raise SystemExit(f'unknown skills {sorted(unknown)}: expected some of {sorted(SKILLS)}')
    return mix
