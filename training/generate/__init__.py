"""Seeded generators: one file per skill, each with a table TASKS of task functions and their weights."""

import random

from . import drill, follow, know, talk, tell
from .item import Item, draw

SKILLS = {'talk': talk, 'follow': follow, 'tell': tell, 'know': know}
EXERCISES = {'drill': drill}  # trained, never scored


def sample(skill, rng, side='train'):
    """One item of a skill (e.g. 'talk'), from the wanted side of the train/eval line."""
    tasks = (SKILLS | EXERCISES)[skill].TASKS
    make = rng.choices(list(tasks), list(tasks.values()))[0]
    return draw(make, rng, side)


def held_out(skill, count, seed):
    """`count` different evaluation items of a skill, the same for the same seed."""
    rng, items = random.Random(seed), {}
    while len(items) < count:
        item = sample(skill, rng, 'eval')
        items.setdefault(item.key(), item)
    return list(items.values())
