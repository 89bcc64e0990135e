"""look: questions about a scene: colour, shape, size, texture, count, existence, position, relation, grid, caption."""

from collections import Counter

from scenes import CELLS, COLOURS, SHAPES, SIZES, invent

from .item import Item, one_of

PLURAL = {shape: ('crosses' if shape == 'cross' else f'{shape}s') for shape in SHAPES}


def unique(things, *attributes):
    """Things that no other thing shares all these attributes with."""
    of = lambda thing: tuple(getattr(thing, a) for a in attributes)
    counts = Counter(map(of, things))
    return [thing for thing in things if counts[of(thing)] == 1]


def named(thing):
    return f'{thing.colour} {thing.shape}'


def colour(scene, rng):
    by_shape, anywhere = unique(scene.things, 'shape'), scene.things
    if by_shape and rng.random() < 0.6:
        thing = rng.choice(by_shape)
        asked = rng.choice(['What colour is the {}?', 'Which colour is the {}?', 'The {} has which colour?'])
        return 'look.colour', asked.format(thing.shape), f'{thing.colour.capitalize()}.'
    if anywhere:
        thing = rng.choice(anywhere)
        return 'look.colour', f'What colour is the object in the {CELLS[thing.cell]}?', f'{thing.colour.capitalize()}.'


def shape(scene, rng):
    by_colour = unique(scene.things, 'colour')
    if by_colour and rng.random() < 0.6:
        thing = rng.choice(by_colour)
        asked = rng.choice(['What shape is the {} object?', 'Which shape is {}?', 'What is the shape of the {} object?'])
        return 'look.shape', asked.format(thing.colour), f'{thing.shape.capitalize()}.'
    if scene.things:
        thing = rng.choice(scene.things)
        return 'look.shape', f'What shape is the object in the {CELLS[thing.cell]}?', f'{thing.shape.capitalize()}.'


def detail(scene, rng):
    """Size or texture of one thing: gone if its few patches go."""
    things = unique(scene.things, 'colour', 'shape')
    if not things:
        return None
    thing = rng.choice(things)
    if rng.random() < 0.5:
        return 'look.detail', f'How big is the {named(thing)}?', f'{thing.size.capitalize()}.'
    return 'look.detail', f'Is the {named(thing)} plain, striped or dotted?', f'{thing.texture.capitalize()}.'


def count(scene, rng):
    kind = rng.choice(['shape', 'shape', 'colour', 'all'])
    if kind == 'all':
        number, asked = len(scene.things), rng.choice(['How many objects are there?', 'Count the objects.'])
    elif kind == 'shape':
        wanted = rng.choice([t.shape for t in scene.things] + [rng.choice(SHAPES)])
        number, asked = sum(t.shape == wanted for t in scene.things), f'How many {PLURAL[wanted]} are there?'
    else:
        wanted = rng.choice([t.colour for t in scene.things] + [rng.choice(list(COLOURS))])
        number, asked = sum(t.colour == wanted for t in scene.things), f'How many {wanted} objects are there?'
    return ('look.count', asked, str(number)) if number <= 6 else None


def exists(scene, rng):
    present = {(t.colour, t.shape) for t in scene.things}
    if present and rng.random() < 0.5:
        pair = rng.choice(sorted(present))
    else:
        pair = rng.choice(list(COLOURS)), rng.choice(SHAPES)
    asked = rng.choice(['Is there a {} {}?', 'Do you see a {} {}?', 'Can you find a {} {}?']).format(*pair)
    return 'look.exists', asked.replace(' a orange', ' an orange'), 'Yes.' if pair in present else 'No.'


def position(scene, rng):
    things = unique(scene.things, 'colour', 'shape')
    if things:
        thing = rng.choice(things)
        asked = rng.choice(['Where is the {}?', 'Where do you see the {}?', 'In which part is the {}?'])
        return 'look.position', asked.format(named(thing)), f'In the {CELLS[thing.cell]}.'


def relation(scene, rng):
    things = unique(scene.things, 'colour', 'shape')
    if len(things) < 2:
        return None
    question, answer = related(*rng.sample(things, 2), named, rng)
    return 'look.relation', question, answer


def related(a, b, name, rng):
    """(question, answer) about where a is from b: half of the times as it is, half of the times the opposite."""
    across, down = a.cell % 3 - b.cell % 3, a.cell // 3 - b.cell // 3
    true = (['left of'] if across < 0 else ['right of'] if across > 0 else []) + \
           (['above'] if down < 0 else ['below'] if down > 0 else [])
    opposite = {'left of': 'right of', 'right of': 'left of', 'above': 'below', 'below': 'above'}
    said = rng.choice(true)
    yes = rng.random() < 0.5
    said = said if yes else opposite[said]
    return f'Is the {name(a)} {said} the {name(b)}?', 'Yes.' if yes else 'No.'


def grid(scene, _rng):
    by_cell = {thing.cell: named(thing) for thing in scene.things}
    return 'look.grid', 'List the grid.', ', '.join(by_cell.get(cell, 'empty') for cell in range(9))


def caption(scene, rng):
    """Everything in reading order, for scenes of at most four things."""
    if len(scene.things) > 4:
        return None
    parts = [f'a {t.size} {named(t)} in the {CELLS[t.cell]}' for t in scene.things]
    text = ', '.join(parts[:-1]) + (' and ' if len(parts) > 1 else '') + parts[-1] if parts else 'an empty picture'
    asked = rng.choice(['Describe the picture.', 'What do you see?', 'Describe the image.', 'What is in the picture?'])
    return 'look.caption', asked, f'{text[0].upper()}{text[1:]}.'


def find(scene, rng):
    """A step towards position: a thing named by its shape or its colour alone."""
    attribute = rng.choice(['shape', 'colour'])
    things = unique(scene.things, attribute)
    if things:
        thing = rng.choice(things)
        return 'look.find', f'Where is the {handle(thing, attribute)}?', f'In the {CELLS[thing.cell]}.'


def compare(scene, rng):
    """A step towards relation: two things named by their shape or their colour alone."""
    attribute = rng.choice(['shape', 'colour'])
    things = unique(scene.things, attribute)
    if len(things) > 1:
        question, answer = related(*rng.sample(things, 2), lambda thing: handle(thing, attribute), rng)
        return 'look.compare', question, answer


def spot(scene, rng):
    """A step towards position: the cell as the very first word of the answer."""
    things = unique(scene.things, 'colour', 'shape')
    if things:
        thing = rng.choice(things)
        return 'look.spot', f'Which cell has the {named(thing)}?', f'{CELLS[thing.cell].capitalize()}.'


def tally(scene, rng):
    """The hard part of count: a shape or a colour that several things have."""
    attribute = rng.choice(['shape', 'colour'])
    numbers = Counter(getattr(thing, attribute) for thing in scene.things)
    several = [value for value, number in numbers.items() if 1 < number <= 6]
    if several:
        wanted = rng.choice(several)
        asked = PLURAL[wanted] if attribute == 'shape' else f'{wanted} objects'
        return 'look.tally', f'How many {asked} are there?', str(numbers[wanted])


def each(scene, rng):
    """A step towards position and detail: things in any order, each followed by where or how it is."""
    things = unique(scene.things, 'colour', 'shape')
    if things:
        asked, of = rng.choice([('place', lambda t: CELLS[t.cell]), ('size', lambda t: t.size), ('texture', lambda t: t.texture)])
        listed = rng.sample(things, len(things))
        return 'look.each', f'Name each thing and its {asked}.', ', '.join(f'{named(t)} {of(t)}' for t in listed)


def handle(thing, attribute):
    return thing.shape if attribute == 'shape' else f'{thing.colour} object'


QUESTIONS = {colour: 3, shape: 3, detail: 2, count: 3, exists: 3, position: 3, relation: 2, grid: 2, caption: 2,
             find: 0, compare: 0, spot: 0, tally: 0, each: 0}  # these last are never scored; settings may give them a weight in training


def question(scene, rng, weights=None):
    """One Item about the scene; which side of the train/eval line it is on is decided by the scene alone."""
    while True:
        asked = one_of(QUESTIONS, rng, weights)(scene, rng)
        if asked:
            task, prompt, answer = asked
            return Item(task, [(prompt, answer)], scene=scene)


def any_question(rng):
    return question(invent(rng), rng)


TASKS = {any_question: 1}
