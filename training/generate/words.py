"""The word pools that every generator draws from."""

NAMES = (
    'Anna Ben Clara Daniel Emma Felix Greta Hugo Ida Jonas Kira Leo Mia Nils Olga Paul Rosa Sam Tina Uma '
    'Victor Wanda Yara Zoe Alice Bruno Carl Dora Eva Frank Gina Henry Iris Jack Laura Max Nora Oscar Peter Ruth '
    'Simon Tom Vera Will Lucy Mark Sara Adam Lena David Julia Maria John Kate Robert Lisa Omar Amir Mei Ravi'
).split()

ANIMALS = (
    'fox bear owl cat dog horse rabbit mouse duck goat wolf frog crow hen pig cow sheep deer lion tiger whale '
    'snail turtle hedgehog badger otter squirrel donkey robin beaver'
).split()

THINGS = (
    'apple book lamp chair table cup plate spoon hat coat shoe boat kite drum bell clock key stone leaf flower '
    'tree cake bread cheese lemon pear plum nut egg honey candle mirror basket ladder rope wheel hammer nail brush '
    'pen paper letter map coin ring box bag bottle glass window door house bridge garden road river lake hill '
    'mountain forest island castle tower village market ship train star moon sun cloud wind rain snow fire'
).split()

ADJECTIVES = (
    'small big old young quick slow happy sad brave shy clever kind quiet loud warm cold bright dark soft hard '
    'green red blue yellow white black golden silver round tall short long clean dusty hungry sleepy curious '
    'gentle proud lazy busy strong tiny lucky wise'
).split()

VERBS = (
    'sees likes finds takes follows wants loves watches carries brings holds hides paints counts cleans opens '
    'moves keeps drops sells'
).split()

PLACES = (
    'forest garden village castle market harbour valley meadow cave tower desert island library kitchen school '
    'mill barn orchard park square'
).split()

COLOURS = 'red green blue yellow purple orange cyan pink brown white black grey'.split()

CITIES = (
    'Paris London Berlin Rome Madrid Oslo Vienna Tokyo Cairo Lima Boston Delhi Dublin Prague Athens Lisbon '
    'Geneva Sydney Toronto Nairobi'
).split()

JOBS = 'baker doctor teacher farmer painter sailor singer writer driver gardener nurse pilot cook judge smith'.split()


def sentence(rng):
    """One short plain sentence about animals, people and things."""
    subject = rng.choice([f'The {rng.choice(ADJECTIVES)} {rng.choice(ANIMALS)}', rng.choice(NAMES)])
    object_ = f'{rng.choice(["a", "the"])} {rng.choice(ADJECTIVES)} {rng.choice(THINGS)}'
    where = rng.choice(['', '', f' in the {rng.choice(PLACES)}', f' near the {rng.choice(PLACES)}'])
    return f'{subject} {rng.choice(VERBS)} {object_}{where}.'.replace(' a old', ' an old')


def paragraph(rng, sentences):
    return ' '.join(sentence(rng) for _ in range(sentences))


SHAPES = 'circle square triangle star cross ring diamond heart'.split()
SIZES = 'small medium large'.split()
TEXTURES = 'plain striped dotted'.split()
REGIONS = ['top left', 'top', 'top right', 'left', 'centre', 'right', 'bottom left', 'bottom', 'bottom right']


def scene_talk(rng):
    """Sentences in the wording of pictures, so that the tokenizer knows it before there are any pictures."""
    thing = lambda: f'{rng.choice(SIZES)} {rng.choice(COLOURS)} {rng.choice(TEXTURES)} {rng.choice(SHAPES)}'
    return rng.choice([
        f'How many {rng.choice(COLOURS)} {rng.choice(SHAPES)}s are there? {rng.randrange(7)}',
        f'What colour is the {rng.choice(SHAPES)}? {rng.choice(COLOURS).capitalize()}',
        f'Is there a {thing()} in the picture? Yes / No',
        f'Which shape is {rng.choice(["left of", "right of", "above", "below"])} the {thing()}?',
        f'Where is the {rng.choice(SHAPES)}? In the {rng.choice(REGIONS)}. List the grid. Describe the image.',
        f'A {thing()} and two {rng.choice(COLOURS)} {rng.choice(SHAPES)}s on a {rng.choice(COLOURS)} background; empty.',
    ])
