"""follow: copy and edit text, pull out fields, change case, order lists, add, write JSON, fix typos."""

import json

from .item import Item
from .words import ADJECTIVES, ANIMALS, CITIES, COLOURS, JOBS, NAMES, PLACES, THINGS, paragraph, sentence

LETTERS = 'abcdefghijklmnopqrstuvwxyz'
SPELT = ADJECTIVES + THINGS + ANIMALS + PLACES  # words that fix_typo may misspell


def phrase(rng, low=1, high=6, made_up=0.1):
    """Some words in a row; now and then a made-up one, so that copying cannot be learnt by heart."""
    letters = lambda: ''.join(rng.choice(LETTERS) for _ in range(rng.randrange(2, 7)))
    pool = THINGS + ANIMALS + ADJECTIVES + COLOURS
    return ' '.join(letters() if rng.random() < made_up else rng.choice(pool) for _ in range(rng.randrange(low, high)))


def plain_words(rng):
    """One to four words of the pools, now and then a name or a city among them."""
    given = phrase(rng, 1, 5, made_up=0).split()
    if rng.random() < 0.3:
        given[rng.randrange(len(given))] = rng.choice(NAMES + CITIES)
    return ' '.join(given)


def copy(rng):
    text = rng.choice([phrase(rng), sentence(rng), paragraph(rng, 2), str(rng.randrange(10_000))])
    ask = rng.choice(['Copy this:', 'Repeat this:', 'Say this back to me:', 'Write the same text:', 'Repeat after me:',
                      'Copy the following text:', 'Echo:'])
    return Item('follow.copy', [(f'{ask}\n{text}', text)])


def upper(rng):
    text = plain_words(rng)
    ask = rng.choice(['Write in upper case:', 'Make this upper case:', 'Upper case, please:', 'In capital letters:',
                      'Convert to upper case:', 'Write this in capitals:'])
    return Item('follow.upper', [(f'{ask}\n{text}', text.upper())])


def lower(rng):
    text = plain_words(rng).upper()
    ask = rng.choice(['Write in lower case:', 'Make this lower case:', 'Lower case, please:', 'In small letters:',
                      'Convert to lower case:'])
    return Item('follow.lower', [(f'{ask}\n{text}', text.lower())])


def words(rng, low=2, high=5, pools=(THINGS, ANIMALS, ADJECTIVES, NAMES, CITIES)):
    return rng.sample(rng.choice(pools), rng.randrange(low, high))


def reverse(rng):
    given = words(rng)
    ask = rng.choice(['Reverse the list:', 'Reverse this list:', 'List in reverse order:', 'Turn the list around:',
                      'Write the list backwards:'])
    return Item('follow.reverse', [(f'{ask}\n{", ".join(given)}', ', '.join(reversed(given)))])


def sort(rng):
    if rng.random() < 0.5:
        given = [str(n) for n in rng.sample(range(10, 100), rng.randrange(2, 5))]
        ask = rng.choice(['Sort the numbers:', 'Sort these numbers:', 'Put the numbers in order:', 'Sort from small to big:'])
        ordered = sorted(given, key=int)
    else:
        given = words(rng, 2, 4, (ANIMALS, NAMES, CITIES))
        ask = rng.choice(['Sort the words:', 'Sort these words:', 'Sort by alphabet:', 'Put in alphabetical order:'])
        ordered = sorted(given)
    return Item('follow.sort', [(f'{ask}\n{", ".join(given)}', ', '.join(ordered))])


def pick(rng):
    """First, last or numbered entry of a list, or how many there are."""
    given = words(rng, 3, 7)
    places = {'first': 0, 'second': 1, 'third': 2, 'last': -1}
    if rng.random() < 0.25:
        return Item('follow.pick', [(f'How many words are in this list?\n{", ".join(given)}', str(len(given)))])
    place = rng.choice(list(places))
    ask = rng.choice(['What is the {} word?', 'Give me the {} word.', 'Which word is {}?', 'Name the {} word of the list.'])
    return Item('follow.pick', [(f'{ask.format(place)}\n{", ".join(given)}', given[places[place]])])


def bullets(rng):
    given = words(rng)
    ask = rng.choice(['Write as a list:', 'Make a bullet list:', 'List these:', 'Turn this into a list:'])
    text = ', '.join(given[:-1]) + ' and ' + given[-1]
    return Item('follow.list', [(f'{ask}\n{text}', '\n'.join(f'- {word}' for word in given))])


def add(rng):
    a, b = rng.randrange(21), rng.randrange(21)
    ask = rng.choice(['What is {} + {}?', '{} + {} =', 'Add {} and {}.', 'What is {} plus {}?', 'How much is {} + {}?',
                      'Compute {} + {}.', 'What is the sum of {} and {}?', '{}+{}', 'What is {}+{}?', '{} plus {}?'])
    return Item('follow.add', [(ask.format(a, b), str(a + b))])


def record(rng):
    """A person with some fields, in random order."""
    fields = [('name', rng.choice(NAMES)), ('age', rng.randrange(5, 99)), ('city', rng.choice(CITIES)),
              ('job', rng.choice(JOBS)), ('pet', rng.choice(ANIMALS)), ('colour', rng.choice(COLOURS))]
    return dict(rng.sample(fields, rng.randrange(2, 6)))


def extract(rng):
    person = record(rng)
    wanted = rng.choice(list(person))
    text = '\n'.join(f'{key}: {value}' for key, value in person.items())
    ask = rng.choice(['What is the {}?', 'Give me the {}.', 'Extract the {}.', 'Find the {}.', 'Which {} is given?'])
    return Item('follow.extract', [(f'{ask.format(wanted)}\n{text}', str(person[wanted]))])


def describe(rng):
    """A sentence about a person and the fields that it contains."""
    person = {'name': rng.choice(NAMES), 'age': rng.randrange(5, 99), 'city': rng.choice(CITIES), 'job': rng.choice(JOBS)}
    text = rng.choice(['{name} is {age} years old, lives in {city} and works as a {job}.',
                       '{name} is a {job} from {city} and is {age} years old.',
                       'The {job} {name} lives in {city} at the age of {age}.',
                       'In {city} lives {name}, a {job} who is {age} years old.'])
    return person, text.format(**person)


def to_json(rng):
    if rng.random() < 0.4:
        person = record(rng)
        text = '\n'.join(f'{key}: {value}' for key, value in person.items())
        ask = rng.choice(['Write as JSON:', 'Convert to JSON:', 'Give me this as JSON:', 'Turn this into JSON:', 'JSON, please:'])
        shaped = person
    else:
        person, text = describe(rng)
        keys = rng.sample(list(person), rng.randrange(1, 5))
        ask = rng.choice(['Write JSON with {}:', 'Answer as JSON with {}:', 'Extract as JSON: {}.', 'Make JSON with the keys {}:'])
        ask = ask.format(', '.join(keys))
        shaped = {key: person[key] for key in keys}
    return Item('follow.json', [(f'{ask}\n{text}', json.dumps(shaped))], 'json', shaped)


def replace(rng):
    text = paragraph(rng, rng.randrange(1, 3))
    old = rng.choice([word for word in text.rstrip('.').split() if word in ADJECTIVES + THINGS + ANIMALS])
    new = rng.choice(ADJECTIVES if old in ADJECTIVES else ANIMALS if old in ANIMALS else THINGS)
    ask = rng.choice(['Replace {} with {}:', 'Change {} to {}:', 'Write {1} instead of {0}:'])
    changed = ' '.join(word.replace(old, new) if word.rstrip('.') == old else word for word in text.split(' '))
    return Item('follow.replace', [(f'{ask.format(old, new)}\n{text}', changed)])


def misspelt(word, rng):
    """The word with two neighbouring letters swapped, not the first; None if that gives a word again."""
    spots = [i for i in range(1, len(word.rstrip('.')) - 1) if word[i] != word[i + 1]]
    if not spots:
        return None
    spot = rng.choice(spots)
    swapped = word[:spot] + word[spot + 1] + word[spot] + word[spot + 2:]
    return None if swapped.rstrip('.') in SPELT else swapped


def fix_typo(rng):
    """One word of a sentence or two is misspelt."""
    text = paragraph(rng, rng.randrange(1, 3))
    parts = text.split(' ')
    at = rng.choice([i for i, part in enumerate(parts) if part.rstrip('.') in SPELT])
    swapped = misspelt(parts[at], rng)
    if swapped is None:
        return fix_typo(rng)
    broken = ' '.join(parts[:at] + [swapped] + parts[at + 1:])
    ask = rng.choice(['Fix the typo:', 'Correct the text:', 'Fix the spelling:', 'Correct the mistake:'])
    return Item('follow.typo', [(f'{ask}\n{broken}', text)])


TASKS = {copy: 3, upper: 2, lower: 2, reverse: 2, sort: 2, pick: 2, bullets: 1, add: 2, extract: 2, to_json: 2, replace: 3,
         fix_typo: 3}
