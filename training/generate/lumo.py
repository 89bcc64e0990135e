"""lumo: an adapter's task: a small invented language. Its verb comes first, adjectives follow their noun, and there
is no article: 'The old fox sees the red boat.' -> 'see, fox old, boat red', each word being one of Lumo's own."""

import random

from .item import Item

ENGLISH = {
    'adjective': 'small big old young happy brave red green blue white'.split(),
    'animal': 'fox bear owl cat dog horse rabbit wolf frog lion'.split(),
    'verb': 'sees likes finds follows wants loves carries hides'.split(),
    'thing': 'apple book lamp chair boat bell key cake ring door'.split(),
}
SYLLABLES = 'ba de fi go ku la me ni po ru sa te vi zo'.split()


def lexicon():
    """English word -> Lumo word; the same on every machine, because the seed is part of the language."""
    coined = [first + second for first in SYLLABLES for second in SYLLABLES if first != second]
    random.Random(77).shuffle(coined)
    return dict(zip(sum(ENGLISH.values(), []), coined))


LUMO = lexicon()


def translate(rng):
    subject, seen, size, look, verb = (rng.choice(ENGLISH[kind]) for kind in ('animal', 'thing', 'adjective', 'adjective', 'verb'))
    whole = rng.random() < 0.6
    text = f'The {size} {subject} {verb} the {look} {seen}.' if whole else f'the {look} {rng.choice([subject, seen])}'
    order = [verb, subject, size, seen, look] if whole else [text.split()[-1], look]
    ask = rng.choice(['Say in Lumo:', 'In Lumo, please:', 'Translate into Lumo:', 'Lumo:'])
    return Item('lumo.sentence', [(f'{ask} {text}', ' '.join(LUMO[word] for word in order))])


TASKS = {translate: 1}
