"""What a generator makes: a short conversation whose last answer can be scored by an exact rule."""

import hashlib
from dataclasses import dataclass, field

from scenes import invent

HELD_OUT_SHARE = 16  # one prompt in this many belongs to the evaluation side


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def side_of(digest):
    return 'eval' if int(digest[:8], 16) % HELD_OUT_SHARE == 0 else 'train'


@dataclass
class Item:
    """`turns` are (question, answer) pairs; the last answer is the one that is scored.

    `rule` is one of evaluate.RULES, `expect` what the rule compares with (default: the last answer).
    `split` is set by generators that hold out whole phrasings; otherwise the hash of the prompt decides.
    """

    task: str
    turns: list
    rule: str = 'exact'
    expect: object = None
    split: str = ''
    scene: object = field(default=None, repr=False)

    def __post_init__(self):
        if self.expect is None:
            self.expect = self.turns[-1][1]

    @property
    def skill(self):
        return self.task.split('.')[0]

    def key(self):
        """Hash of everything the model is shown before its last answer."""
        shown = [question for question, _ in self.turns] + ([repr(self.scene)] if self.scene else [])
        return sha('\x00'.join(shown))

    def side(self):
        """'train' or 'eval': fixed by the item itself, so the two sides can never share a prompt."""
        if self.split:
            return self.split
        return side_of(sha(repr(self.scene)) if self.scene else self.key())


def one_of(tasks, rng, weights=None):
    """One of {function: weight}; `weights` {name of a function: weight} goes before."""
    odds = [(weights or {}).get(make.__name__, weight) for make, weight in tasks.items()]
    return rng.choices(list(tasks), odds)[0]


def draw(make, rng, side):
    """Calls `make(rng)` until it gives an item of the wanted side."""
    for _ in range(10_000):
        item = make(rng)
        if item.side() == side:
            return item
    raise ValueError(f'{make.__name__} gave no item of side {side!r} in 10,000 tries')


def draw_scene(rng, side='train'):
    """A scene of the wanted side; all questions about a scene share its side."""
    while True:
        scene = invent(rng)
        if side_of(sha(repr(scene))) == side:
            return scene
