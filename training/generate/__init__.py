"""Seeded generators: one file per skill, each with a table TASKS of task functions and their weights."""

import random

from . import drill, follow, json_answers, know, lumo, newer, pirate, talk, tell
from .item import Item, draw, one_of

SKILLS = {'talk': talk, 'follow': follow, 'tell': tell, 'know': know}
EXERCISES = {'drill': drill}  # trained, never scored
ADAPTED = {'json': json_answers, 'pirate': pirate, 'lumo': lumo}  # what the adapters learn
NEWER = {'newer': newer}  # what nano-next learns
ALL = SKILLS | EXERCISES | ADAPTED | NEWER


def sample(skill, rng, side='train', weights=None):
    """One item of a skill (e.g. 'talk'), from the wanted side of the train/eval line."""
    return draw(one_of(ALL[skill].TASKS, rng, weights), rng, side)


def held_out(skill, count, seed):
    """`count` different evaluation items of a skill, the same for the same seed."""
    rng, items = random.Random(seed), {}
    while len(items) < count:
        item = sample(skill, rng, 'eval')
        items.setdefault(item.key(), item)
    return list(items.values())
