"""Procedural scenes: up to nine things on a 3 x 3 grid, drawn with textures, overlaps and busy backgrounds."""

import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

SIDE, PATCH, ZOOM = 96, 8, 4
CELL = SIDE // 3
COLOURS = {
    'red': (215, 40, 40), 'green': (40, 165, 60), 'blue': (45, 75, 220), 'yellow': (238, 218, 50), 'purple': (140, 50, 170),
    'orange': (242, 138, 30), 'white': (248, 248, 248), 'black': (18, 18, 18),
}
SHAPES = ['circle', 'square', 'triangle', 'star', 'cross', 'ring']
SIZES = {'small': 6, 'medium': 10, 'large': 15}  # radius in pixels
TEXTURES = ['plain', 'striped', 'dotted']
CELLS = ['top left', 'top', 'top right', 'left', 'centre', 'right', 'bottom left', 'bottom', 'bottom right']


@dataclass(frozen=True)
class Thing:
    cell: int
    shape: str
    colour: str
    size: str
    texture: str
    x: int
    y: int


@dataclass(frozen=True)
class Scene:
    """What is in a picture; `seed` decides noise and exact shades only."""

    things: tuple
    background: str
    grey: int
    seed: int


def invent(rng):
    """A scene: a third are nearly empty, a third crowded, so that pictures differ in how much there is to see."""
    low, high = rng.choice([(0, 2), (2, 5), (5, 9)])
    cells = sorted(rng.sample(range(9), rng.randint(low, high)))
    palette = rng.sample(list(COLOURS), rng.choice([2, 4, 8]))
    shapes = rng.sample(SHAPES, rng.choice([2, 4, 6]))
    things = tuple(
        Thing(cell, rng.choice(shapes), rng.choice(palette), rng.choice(list(SIZES)),
              rng.choice(TEXTURES + ['plain'] * 2), rng.randint(-6, 6), rng.randint(-6, 6))
        for cell in cells
    )
    return Scene(things, rng.choice(['flat', 'gradient', 'noise', 'lines']), rng.randint(80, 190), rng.randrange(1 << 30))


def centre(thing):
    """Pixel position of the middle of a thing."""
    return (thing.cell % 3) * CELL + CELL // 2 + thing.x, (thing.cell // 3) * CELL + CELL // 2 + thing.y


def reach(thing):
    """Half the side, in pixels, of the square that a thing is drawn in."""
    return math.ceil(1.2 * SIZES[thing.size])


def outline(thing, turn):
    """Polygon corners in zoomed pixels around the middle of its square; None for round things."""
    middle, r = ZOOM * reach(thing), ZOOM * SIZES[thing.size]
    spoke = lambda angle, length: (middle + length * math.cos(angle), middle + length * math.sin(angle))
    if thing.shape == 'square':
        return [spoke(turn + math.pi * (k / 2 + 0.25), r) for k in range(4)]
    if thing.shape == 'triangle':
        return [spoke(turn - math.pi / 2 + 2 * math.pi * k / 3, 1.1 * r) for k in range(3)]
    if thing.shape == 'star':
        return [spoke(turn - math.pi / 2 + math.pi * k / 5, 1.15 * r * (0.42 if k % 2 else 1)) for k in range(10)]
    if thing.shape == 'cross':
        arm = r * 0.32
        corners = [(-arm, -r), (arm, -r), (arm, -arm), (r, -arm), (r, arm), (arm, arm),
                   (arm, r), (-arm, r), (-arm, arm), (-r, arm), (-r, -arm), (-arm, -arm)]
        return [(middle + a, middle + b) for a, b in corners]
    return None


def stencil(thing, turn):
    """How opaque a thing is on its square: an 'L' image of 2 reach x 2 reach."""
    side = 2 * reach(thing)
    image = Image.new('L', (side * ZOOM, side * ZOOM))
    draw = ImageDraw.Draw(image)
    corners = outline(thing, turn)
    middle, r = ZOOM * reach(thing), ZOOM * SIZES[thing.size]
    disc = lambda radius: [middle - radius, middle - radius, middle + radius, middle + radius]
    if corners:
        draw.polygon(corners, fill=255)
    else:
        draw.ellipse(disc(r), fill=255)
    if thing.shape == 'ring':
        draw.ellipse(disc(0.55 * r), fill=0)
    return image.resize((side, side), Image.Resampling.BOX)


def paint(thing, shade):
    """The filling of a thing's square, with its texture."""
    side = 2 * reach(thing)
    image = Image.new('RGB', (side * ZOOM, side * ZOOM), shade)
    if thing.texture == 'plain':
        return image.resize((side, side), Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    other = tuple(int(c * 0.55) if sum(shade) > 200 else c + 90 for c in shade)
    step = 4 * ZOOM
    for at in range(0, side * ZOOM, step):
        if thing.texture == 'striped':
            draw.rectangle([0, at, side * ZOOM, at + step // 3], fill=other)
        else:
            for across in range(0, side * ZOOM, step):
                draw.ellipse([across, at, across + step // 2, at + step // 2], fill=other)
    return image.resize((side, side), Image.Resampling.BOX)


def backdrop(scene, rng):
    grey = np.full((SIDE, SIDE), float(scene.grey))
    if scene.background == 'gradient':
        grey += np.linspace(-30, 30, SIDE)[:: rng.choice([-1, 1])][:, None]
    if scene.background == 'noise':
        coarse = np.random.default_rng(scene.seed).integers(-22, 23, (24, 24))
        grey += np.kron(coarse, np.ones((4, 4)))
    if scene.background == 'lines':
        grey[:: rng.choice([6, 9, 12])] -= 25
    tint = np.array([rng.randint(-8, 8) for _ in range(3)])
    picture = np.clip(grey[:, :, None] + tint, 0, 255).astype(np.uint8)
    return Image.fromarray(picture)


def render(scene):
    """(picture, owner): an RGB image of SIDE x SIDE, and per pixel the index of the visible thing, or -1."""
    rng = random.Random(scene.seed)
    picture = backdrop(scene, rng)
    owner = Image.new('I', (SIDE, SIDE), -1)
    for index, thing in enumerate(scene.things):
        shade = tuple(min(255, max(0, c + rng.randint(-12, 12))) for c in COLOURS[thing.colour])
        mask = stencil(thing, rng.uniform(-0.25, 0.25))
        x, y = (at - reach(thing) for at in centre(thing))
        picture.paste(paint(thing, shade), (x, y), mask)
        owner.paste(index, (x, y), mask.point(lambda alpha: 255 * (alpha > 127)))
    return picture, np.array(owner)


def pixels(picture):
    """float32 [3, SIDE, SIDE] in -1..1, as the image processor makes it."""
    return (np.asarray(picture, np.float32) / 127.5 - 1).transpose(2, 0, 1)
