"""Training rows: conversations packed into a fixed number of tokens, loss on the answers only."""

import random

import torch

from generate import SKILLS, sample

IGNORED = -100


class Rows:
    """Every row is one conversation that starts at position 0 and goes on, task after task, until it is full.

    That is packing and multi-turn practice at once: later tasks follow unrelated earlier turns, as in a chat.
    A share `echo` of the rows is a random string of tokens said twice, which forms the copying heads early.
    """

    def __init__(self, tokenizer, length, mix, seed, echo=0.05):
        self.tokenizer, self.length, self.echo = tokenizer, length, echo
        self.skills, self.weights = list(mix), list(mix.values())
        self.rng = random.Random(seed)
        self.pieces = {}

    def encode(self, text):
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def fixed(self, text):
        if text not in self.pieces:
            self.pieces[text] = self.encode(text)
        return self.pieces[text]

    def row(self):
        """(ids, labels), both `length` long."""
        if self.rng.random() < self.echo:
            return self.echo_row()
        ids, labels = [], []
        if self.rng.random() < 0.1:
            self.add(ids, labels, '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n', learn=False)
        while len(ids) < self.length:
            skill = self.rng.choices(self.skills, self.weights)[0]
            for question, answer in sample(skill, self.rng).turns:
                self.add(ids, labels, f'<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n', learn=False)
                self.add(ids, labels, f'{answer}<|im_end|>', learn=True)
                self.add(ids, labels, '\n', learn=False)
        return ids[: self.length], labels[: self.length]

    def add(self, ids, labels, text, learn):
        piece = self.encode(text)
        ids += piece
        labels += piece if learn else [IGNORED] * len(piece)

    def echo_row(self):
        half = self.length // 2
        start = self.rng.randrange(4, half)
        said = [self.rng.randrange(300, self.tokenizer.vocab_size) for _ in range(start)]
        ids = (said * (self.length // start + 1))[: self.length]
        return ids, [IGNORED] * start + ids[start:]

    def batch(self, size):
        """ids and labels, [size, length] each; labels already shifted to sit under the token before them."""
        ids, labels = zip(*(self.row() for _ in range(size)))
        ids, labels = torch.tensor(ids), torch.tensor(labels)
        return ids, torch.cat([labels[:, 1:], torch.full((size, 1), IGNORED)], 1)


def known_skills(mix):
    """Refuses a mix that names a skill without a generator."""
    unknown = set(mix) - set(SKILLS)
    if unknown:
        raise SystemExit(f'unknown skills {sorted(unknown)}: expected some of {sorted(SKILLS)}')
    return mix
