"""Training rows: conversations packed into a fixed number of tokens, loss on the answers only."""

import random

import torch

from generate import sample
from generate.item import draw_scene
from generate.look import question as look_question
from merging import kept_tokens
from model import IMAGE_TOKENS
from projector import few_patches, with_cells
from scenes import pixels, render
from tower import patch_classes

IGNORED = -100
TURN = '<|im_start|>user\n'


def answer_weights(labels):
    """Weights of the tokens of each answer: 1 / sqrt(its length), so that one word counts beside a long list."""
    wanted = labels != IGNORED
    begins = wanted & ~torch.nn.functional.pad(wanted, (1, 0))[:, :-1]
    answer = torch.where(wanted, begins.cumsum(1), 0)
    lengths = torch.zeros(labels.size(0), int(answer.max()) + 1).scatter_add_(1, answer, torch.ones(labels.shape))
    return torch.where(wanted, lengths.gather(1, answer).rsqrt(), 0.0)


class Row:
    """A row in the making: its tokens, their labels, and the part of the row that each belongs to.

    Part 0 is seen by everything behind it, the other parts by themselves only.
    """

    def __init__(self, tokenizer):
        self.tokenizer, self.ids, self.labels, self.parts, self.part = tokenizer, [], [], [], 0

    def add(self, text, learn):
        self.add_ids(self.tokenizer(text, add_special_tokens=False).input_ids, learn)

    def add_ids(self, ids, learn):
        self.ids += ids
        self.labels += ids if learn else [IGNORED] * len(ids)
        self.parts += [self.part] * len(ids)

    def exchange(self, question, answer, opening=TURN):
        self.add(f'{opening}{question}<|im_end|>\n<|im_start|>assistant\n', learn=False)
        self.add(f'{answer}<|im_end|>', learn=True)
        self.add('\n', learn=False)


def visible(parts):
    """Which tokens each token sees, [rows, 1, length, length], for parts [rows, length]."""
    seen = (parts[:, None, :] == 0) | (parts[:, :, None] == parts[:, None, :])
    return seen.tril()[:, None]


class Rows:
    """A row starts at position 0 and goes on, task after task, until it is full.

    That is packing without padding. A share `apart` of the rows holds tasks that do not see each other, each as if it
    came first (behind the picture, in a row of look); the others are conversations, where later tasks follow
    unrelated turns. `settings['rows']` says for each kind of row how many make a batch and how long they are. A row
    of text may instead be a random string of tokens said again and again (share `echo`), which keeps the copying
    heads alive; a row of look is one picture with many questions. A share `merged` of the batches of look has pictures
    of fewer tokens, merged to one of the shares `keeps`. `weights` makes single tasks rarer or more frequent.
    """

    def __init__(self, tokenizer, settings, seed):
        self.tokenizer, self.settings = tokenizer, settings
        self.skills, self.weights = list(settings['mix']), list(settings['mix'].values())
        self.rng, self.image_tokens = random.Random(seed), IMAGE_TOKENS

    def batches(self):
        """{kind: (ids, labels, weights, pictures or None, seen)}: [size, length] each, what pictures() makes, visible().

        Labels and weights are already shifted to sit under the token before them.
        """
        return {kind: self.batch(kind, shape['size'], shape['length']) for kind, shape in self.settings['rows'].items()}

    def batch(self, kind, size, length):
        make = self.look_row if kind == 'look' else self.text_row
        if kind == 'look':
            self.image_tokens = self.drawn_tokens()
        rows, pictures = zip(*(make(length) for _ in range(size)))
        ids, labels, parts = (torch.tensor([getattr(row, name)[:length] for row in rows]) for name in ('ids', 'labels', 'parts'))
        labels = torch.cat([labels[:, 1:], torch.full((size, 1), IGNORED)], 1)
        return ids, labels, answer_weights(labels), self.pictures(pictures) if kind == 'look' else None, visible(parts)

    def by_chance(self, setting):
        return self.rng.random() < self.settings.get(setting, 0)

    def drawn_tokens(self):
        """Visual tokens of each picture of a batch."""
        return kept_tokens(IMAGE_TOKENS, self.rng.choice(self.settings['keeps'])) if self.by_chance('merged') else IMAGE_TOKENS

    def text_row(self, length):
        return self.echo_row(length) if self.by_chance('echo') else self.talk_row(length), None

    def talk_row(self, length):
        row, apart = Row(self.tokenizer), self.by_chance('apart')
        if self.rng.random() < 0.1:
            row.add('<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n', learn=False)
        while len(row.ids) < length:
            row.part += apart
            skill = self.rng.choices(self.skills, self.weights)[0]
            for question, answer in sample(skill, self.rng, weights=self.settings.get('weights')).turns:
                row.exchange(question, answer)
        return row

    def look_row(self, length):
        """One picture and as many questions about it as fit, none of them asked twice."""
        scene, row, apart = self.scene(), Row(self.tokenizer), self.by_chance('apart')
        shown = self.shown(scene)
        row.add(TURN + self.image_text(shown), learn=False)
        asked, opening = set(), ''
        while len(row.ids) < length:
            item = look_question(scene, self.rng, self.settings.get('weights'))
            question, answer = item.turns[0]
            if self.told_before(asked, item.task, question, answer, apart):
                continue
            row.part += apart
            row.exchange(question, answer, opening)
            opening = '' if apart else TURN
        return row, shown

    def told_before(self, asked, task, question, answer, apart):
        """Notes a question; true if it repeats one, or (half of the times) if its answer can be had by copying."""
        repeats = question in asked or (not apart and (task, answer) in asked and self.rng.random() < 0.5)
        asked.update([question, (task, answer)])
        return repeats and self.rng.random() < 0.98

    def scene(self):
        """A training scene; a share `easy` of them (default: all) has at most `things` things, where settings say so."""
        look = self.settings['rows']['look']
        most = look.get('things') if self.rng.random() < look.get('easy', 1) else None
        while True:
            scene = draw_scene(self.rng)
            if not most or 1 <= len(scene.things) <= most:
                return scene

    def shown(self, scene):
        """Pixels [3, side, side] of a scene, or (setting `described`) the classes [patches, labels] of its patches."""
        picture, owner = render(scene)
        if 'described' not in self.settings:
            return torch.from_numpy(pixels(picture))
        classes = with_cells(patch_classes(scene, owner).T)
        return torch.from_numpy(few_patches(classes, self.rng, self.settings['described']))

    def image_text(self, shown):
        """Placeholders for what is shown, and the line break that the chat template puts behind a picture."""
        return '<image>' * (len(shown) if 'described' in self.settings else self.image_tokens) + '\n'

    def pictures(self, shown):
        """What the rows of a batch show, in one tensor."""
        return (torch.cat if 'described' in self.settings else torch.stack)(shown)

    def echo_row(self, length):
        half = length // 2
        start = self.rng.randrange(4, half)
        said = [self.rng.randrange(300, self.tokenizer.vocab_size) for _ in range(start)]
        row = Row(self.tokenizer)
        row.add_ids(said, learn=False)
        row.add_ids((said * (length // start))[: length - start], learn=True)
        return row
