"""tell: short templated stories with lively wording, long enough for drafting to matter."""

from .item import Item
from .words import ADJECTIVES, ANIMALS, NAMES, PLACES, THINGS

OPENINGS = ['Once upon a time there was {a} {hero} named {name} who lived in a {place}.',
            'Long ago, {a} {hero} named {name} lived near an old {place}.',
            'In a quiet {place} there lived {a} {hero} named {name}.']
WISHES = ['{name} had one great wish: to find the {treasure}.',
          'Every night {name} dreamed of a {treasure}.',
          'One day {name} heard that somewhere there was a {treasure}.']
DEPARTURES = ['So early one morning {name} packed some bread and set off.',
              'So {name} said goodbye to everybody and walked down the long road.',
              'At dawn {name} took a lamp and went out into the wide world.']
TROUBLES = ['Soon a storm came up, and the wind howled in the trees.',
            'On the way {name} met {b} {friend} who had lost the way home.',
            'At the river the bridge was broken, and the water was wild.',
            'It grew dark, and strange sounds came from all sides.']
TURNS = ['"Do not be afraid," said the {friend}, "we will go together."',
         '"I know a way," whispered the {friend} and smiled.',
         '"Follow me!" cried the {friend} and jumped ahead.']
FINDS = ['And there, behind a great stone, lay the {treasure}, shining like the moon.',
         'Under the tallest tree they found the {treasure} at last.',
         'At the end of the path, in the warm light, stood the {treasure}.']
ENDINGS = ['They carried it home, and the whole {place} danced until morning.',
           'From that day on, {name} and the {friend} were the best of friends.',
           '{name} laughed with joy, and nobody in the {place} was ever sad again.']
ASKS = ['Tell me a story about {hero}.', 'Write a story about {hero}.', 'Tell a short story about {hero}.',
        'I want to hear a story about {hero}.', 'Can you tell me a story about {hero}?', 'Write a tale about {hero}.']


def article(word):
    return f'an {word}' if word[0] in 'aeiou' else f'a {word}'


def story(rng):
    """A seven-sentence story; the question may name the hero, the hero's name and the thing looked for."""
    hero = f'{rng.choice(ADJECTIVES)} {rng.choice(ANIMALS)}'
    friend = f'{rng.choice(ADJECTIVES)} {rng.choice(ANIMALS)}'
    name, place = rng.choice(NAMES), rng.choice(PLACES)
    treasure = f'{rng.choice(ADJECTIVES)} {rng.choice(THINGS)}'
    asked, expect = article(hero), [hero]
    if rng.random() < 0.5:
        asked, expect = f'{asked} named {name}', expect + [name]
    if rng.random() < 0.3:
        asked, expect = f'{asked} and {article(treasure)}', expect + [treasure]
    parts = [OPENINGS, WISHES, DEPARTURES, TROUBLES, TURNS, FINDS, ENDINGS]
    told = ' '.join(rng.choice(part) for part in parts)
    told = told.format(a=article(hero).split()[0], hero=hero, b=article(friend).split()[0], friend=friend.split()[-1],
                       name=name, place=place, treasure=treasure)
    return Item('tell.story', [(rng.choice(ASKS).format(hero=asked), told)], 'story', expect)


TASKS = {story: 1}
