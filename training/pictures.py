"""Sets of questions about held-out pictures: as training draws them, and two kinds of them apart.

    look      anything; an image in three is nearly empty
    calm      one to three large things on a calm ground: most patches hold what others hold as well
    crowded   six to nine things of any size on any ground

All are drawn as training draws its pictures, so the hash of a scene decides which side of the line it is on.
"""

import random
from dataclasses import dataclass
from itertools import cycle
from typing import Callable

from generate.item import draw_scene
from generate.look import question
from scenes import render


@dataclass(frozen=True)
class PictureSet:
    """`fits` takes a scene; scenes take turns at `things`, how many things they show (None: as it comes)."""

    scenes: int
    questions: int
    prefix: str = ''
    fits: Callable = lambda scene: True
    things: tuple = (None,)


def is_calm(scene):
    return scene.background in ('flat', 'gradient') and all(thing.size == 'large' for thing in scene.things)


PICTURES = {
    'look': PictureSet(60, 8),
    'calm': PictureSet(84, 6, 'calm-', is_calm, things=(1, 2, 3)),
    'crowded': PictureSet(60, 8, 'crowded-', things=(6, 7, 8, 9)),
}


def draw_fitting(rng, wanted, number):
    """A held-out scene that fits a set, with `number` things."""
    while True:
        scene = draw_scene(rng, 'eval')
        if number in (None, len(scene.things)) and wanted.fits(scene):
            return scene


def picture_items(name, folder, seed):
    """Yields (item, name of its picture): several different questions on each scene; writes the pictures, PNG."""
    rng, wanted = random.Random(seed), PICTURES[name]
    for number, things in zip(range(wanted.scenes), cycle(wanted.things)):
        scene, asked = draw_fitting(rng, wanted, things), {}
        picture = f'images/{wanted.prefix}{number:02}.png'
        render(scene)[0].save(folder / picture, optimize=True)
        while len(asked) < wanted.questions:
            item = question(scene, rng)
            asked[item.turns[0][0]] = item
        yield from ((item, picture) for item in asked.values())
