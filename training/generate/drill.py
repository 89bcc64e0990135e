"""drill: the steps that `follow` is made of, many in one answer, so that a row teaches more of what is hard."""

from .follow import SPELT, misspelt
from .item import Item
from .words import ADJECTIVES, ANIMALS, CITIES, COLOURS, NAMES, THINGS

WORDS = THINGS + ANIMALS + ADJECTIVES + COLOURS + NAMES + CITIES


def some(rng, pool, low, high):
    return [rng.choice(pool) for _ in range(rng.randint(low, high))]


def drill(kind, ask, given, answers, between=', '):
    return Item(f'drill.{kind}', [(f'{ask}\n{between.join(given)}', between.join(answers))])


def respell(rng):
    pairs = [(misspelt(word, rng), word) for word in some(rng, SPELT, 1, 8)]
    broken, words = zip(*[pair for pair in pairs if pair[0]] or [('appel', 'apple')])
    return drill('respell', rng.choice(['Fix the typo:', 'Correct the words:', 'Fix the spelling:', 'Correct the mistake:']),
                 broken, words, rng.choice([', ', ' ']))


def shout(rng):
    given = some(rng, WORDS, 1, 10)
    ask = rng.choice(['Write in upper case:', 'Make this upper case:', 'Upper case, please:', 'In capital letters:',
                      'Convert to upper case:', 'Write this in capitals:'])
    return drill('shout', ask, given, map(str.upper, given), rng.choice([', ', ' ', ' ']))


def whisper(rng):
    given = [word.upper() for word in some(rng, WORDS, 1, 10)]
    ask = rng.choice(['Write in lower case:', 'Make this lower case:', 'Lower case, please:', 'In small letters:',
                      'Convert to lower case:'])
    return drill('whisper', ask, given, map(str.lower, given), rng.choice([', ', ' ', ' ']))


def swap(rng):
    """Every second word or so is the one to replace."""
    pool = rng.choice([ADJECTIVES, THINGS, ANIMALS])
    old, new = rng.sample(pool, 2)
    given = [old if rng.random() < 0.4 else rng.choice(WORDS) for _ in range(rng.randint(1, 8))]
    ask = rng.choice(['Replace {} with {}:', 'Change {} to {}:', 'Write {1} instead of {0}:']).format(old, new)
    return drill('swap', ask, given, [new if word == old else word for word in given], rng.choice([', ', ' ', ' ']))


def sums(rng):
    terms = [(rng.randrange(21), rng.randrange(21)) for _ in range(rng.randint(2, 8))]
    return drill('sums', rng.choice(['Add:', 'Compute:', 'Write the sums:']),
                 [f'{a} + {b}' for a, b in terms], [str(a + b) for a, b in terms])


def earlier(rng):
    """Which of two comes first: the step that sorting is made of."""
    if rng.random() < 0.5:
        pairs = [rng.sample(range(10, 100), 2) for _ in range(rng.randint(1, 6))]
        return drill('smaller', 'Which is smaller?', [f'{a} or {b}' for a, b in pairs], [str(min(pair)) for pair in pairs])
    pool = rng.choice([ANIMALS, NAMES, CITIES])
    pairs = [rng.sample(pool, 2) for _ in range(rng.randint(1, 6))]
    return drill('earlier', 'Which comes first in the alphabet?', [f'{a} or {b}' for a, b in pairs], map(min, pairs))


TASKS = {respell: 3, shout: 2, whisper: 2, swap: 3, sums: 2, earlier: 2}
