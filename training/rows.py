"""Training rows: conversations packed into a fixed number of tokens, loss on the answers only."""

import random

import torch

from generate import sample
from generate.item import draw_scene
from generate.look import question as look_question
from model import IMAGE_TOKENS
from projector import few_patches, with_cells
from scenes import pixels, render
from tower import patch_classes

IGNORED = -100


def answer_weights(labels):
    """Weights of the tokens of each answer: 1 / sqrt(its length), so that one word counts beside a long list."""
    wanted = labels != IGNORED
    begins = wanted & ~torch.nn.functional.pad(wanted, (1, 0))[:, :-1]
    answer = torch.where(wanted, begins.cumsum(1), 0)
    lengths = torch.zeros(labels.size(0), int(answer.max()) + 1).scatter_add_(1, answer, torch.ones(labels.shape))
    return torch.where(wanted, lengths.gather(1, answer).rsqrt(), 0.0)


class Rows:
    """Every row is one conversation that starts at position 0 and goes on, task after task, until it is full.

    That is packing and multi-turn practice at once: later tasks follow unrelated earlier turns, as in a chat.
    `settings['rows']` says for each kind of row how many make a batch and how long they are. A row of text may
    instead be a random string of tokens said again and again (share `echo`), which keeps the copying heads alive; a
    row of look is one picture with many questions.
    """

    def __init__(self, tokenizer, settings, seed):
        self.tokenizer, self.settings = tokenizer, settings
        self.skills, self.weights = list(settings['mix']), list(settings['mix'].values())
        self.rng = random.Random(seed)

    def batches(self):
        """{kind: (ids, labels, weights, pictures or None)}: [size, length] each, and what pictures() makes.

        Labels and weights are already shifted to sit under the token before them.
        """
        return {kind: self.batch(kind, shape['size'], shape['length']) for kind, shape in self.settings['rows'].items()}

    def batch(self, kind, size, length):
        make = self.look_row if kind == 'look' else self.text_row
        ids, labels, pictures = zip(*(make(length) for _ in range(size)))
        ids, labels = torch.tensor(ids), torch.tensor(labels)
        labels = torch.cat([labels[:, 1:], torch.full((size, 1), IGNORED)], 1)
        return ids, labels, answer_weights(labels), self.pictures(pictures) if kind == 'look' else None

    def text_row(self, length):
        return *(self.echo_row(length) if self.rng.random() < self.settings['echo'] else self.talk_row(length)), None

    def talk_row(self, length):
        ids, labels = [], []
        if self.rng.random() < 0.1:
            self.add(ids, labels, '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n', learn=False)
        while len(ids) < length:
            skill = self.rng.choices(self.skills, self.weights)[0]
            for question, answer in sample(skill, self.rng).turns:
                self.exchange(ids, labels, question, answer)
        return ids[:length], labels[:length]

    def look_row(self, length):
        """One picture and as many questions about it as fit, none of which the answers before it give away by copying."""
        scene = self.scene()
        shown = self.shown(scene)
        image, ids, labels, asked = self.image_text(shown), [], [], set()
        while len(ids) < length:
            item = look_question(scene, self.rng)
            question, answer = item.turns[0]
            if self.told_before(asked, item.task, question, answer):
                continue
            self.exchange(ids, labels, image + question, answer)
            image = ''
        return ids[:length], labels[:length], shown

    def told_before(self, asked, task, question, answer):
        """Notes a question; true if it repeats one, or (half of the times) if its answer was given to a like one."""
        repeats = question in asked or ((task, answer) in asked and self.rng.random() < 0.5)
        asked.update([question, (task, answer)])
        return repeats and self.rng.random() < 0.98

    def scene(self):
        """A training scene, of at most `things` things where the settings ask for an easy beginning."""
        most = self.settings['rows']['look'].get('things')
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
        return '<image>' * (len(shown) if 'described' in self.settings else IMAGE_TOKENS) + '\n'

    def pictures(self, shown):
        """What the rows of a batch show, in one tensor."""
        return (torch.cat if 'described' in self.settings else torch.stack)(shown)

    def exchange(self, ids, labels, question, answer):
        self.add(ids, labels, f'<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n', learn=False)
        self.add(ids, labels, f'{answer}<|im_end|>', learn=True)
        self.add(ids, labels, '\n', learn=False)

    def add(self, ids, labels, text, learn):
        piece = self.tokenizer(text, add_special_tokens=False).input_ids
        ids += piece
        labels += piece if learn else [IGNORED] * len(piece)

    def echo_row(self, length):
        half = length // 2
        start = self.rng.randrange(4, half)
        said = [self.rng.randrange(300, self.tokenizer.vocab_size) for _ in range(start)]
        ids = (said * (length // start + 1))[:length]
        return ids, [IGNORED] * start + ids[start:]
