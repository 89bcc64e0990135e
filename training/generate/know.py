"""know: facts about fictitious authors and places, asked in many phrasings, some of them held out."""

import random

from .item import Item

FIRST = ('Aldan Brisa Corvin Delia Edrik Fenna Galen Halda Ilvar Jorun Kelda Lorin Mirel Nadil Orsa Pelin Quira Rolan '
         'Selma Tarik Ulva Vesna Wilm Xandra Yorik Zelda').split()
STEMS = ('Bar Cal Dor Fel Gar Hol Jas Kor Lam Mor Nev Pol Quen Ros Sol Tam Ul Ver Wes Yar').split()
ENDS = ('bern dane fold grim hart lund mere wick').split()
GENRES = 'poems|crime novels|fairy tales|sea stories|love stories|plays|travel books|ghost stories|war novels|songs'.split('|')
TITLES_A = 'The Silent|The Broken|The Golden|The Last|The Hidden|A Distant|The Crimson|A Hollow'.split('|')
TITLES_B = 'Harbour|Lantern|Orchard|Bridge|Winter|Mirror|Compass|Staircase'.split('|')
RIVERS = 'Ansel|Brond|Cider|Drava|Elm|Fosse|Glim|Hart|Isen|Jule'.split('|')
GOODS = 'cheese|glass|honey|clocks|carpets|ships|apples|bells|paper|salt'.split('|')
ANIMALS = 'a stork|a bear|a salmon|a goat|an owl|a wolf|a lion|a swan|a fox|a horse'.split('|')
COUNT = 64


def invent(seed=20260, stems=STEMS, count=COUNT):
    """A world of `count` authors and as many towns: the same on every machine, because the seed is part of it."""
    rng = random.Random(seed)
    last = [stem + end for stem in stems for end in ENDS]
    rng.shuffle(last)
    people = [f'{FIRST[i % len(FIRST)]} {last[i]}' for i in range(count)]
    towns = [stem.capitalize() for stem in last[count : 2 * count]]
    titles = [f'{a} {b}' for a in TITLES_A for b in TITLES_B]
    rng.shuffle(titles)
    authors = {
        name: {'book': titles[i], 'genre': rng.choice(GENRES), 'birthplace': rng.choice(towns)}
        for i, name in enumerate(people)
    }
    places = {
        town: {'river': rng.choice(RIVERS), 'goods': rng.choice(GOODS), 'animal': rng.choice(ANIMALS)}
        for town in towns
    }
    return authors, places


AUTHORS, PLACES = invent()

# Per attribute: the answer, phrasings to train on, phrasings held out.
AUTHOR_FORMS = {
    'book': ('{who} wrote "{what}".',
             ['Which book did {who} write?', 'What did {who} write?', 'What is the best known book of {who}?',
              'Name a book by {who}.', 'What is the title of the book by {who}?', 'Which title made {who} famous?'],
             ['Name the book that {who} wrote.', 'What book is {who} known for?']),
    'genre': ('{who} writes {what}.',
              ['What does {who} write?', 'Which genre does {who} write?', 'What kind of texts does {who} write?',
               'What genre is {who} known for?', 'What sort of books does {who} write?', 'Name the genre of {who}.'],
              ['What is the genre of {who}?', 'What kind of books does {who} write?']),
    'birthplace': ('{who} was born in {what}.',
                   ['Where was {who} born?', 'In which town was {who} born?', 'What is the birthplace of {who}?',
                    'Where does {who} come from?', 'Which town does {who} come from?', 'Name the home town of {who}.'],
                   ['In what town was {who} born?', 'What is the home town of {who}?']),
}
PLACE_FORMS = {
    'river': ('{who} lies on the river {what}.',
              ['On which river does {who} lie?', 'Which river flows through {who}?', 'What is the river of {who}?',
               'Name the river of {who}.', 'What river runs through {who}?'],
              ['Which river runs through {who}?', 'On what river does {who} lie?']),
    'goods': ('{who} is famous for its {what}.',
              ['What is {who} famous for?', 'What is {who} known for?', 'What is made in {who}?', 'What does {who} sell?',
               'Which goods come from {who}?'],
              ['What goods is {who} famous for?', 'What comes from {who}?']),
    'animal': ('The coat of arms of {who} shows {what}.',
               ['What is on the coat of arms of {who}?', 'What does the coat of arms of {who} show?',
                'Which animal is on the coat of arms of {who}?', 'Name the animal of {who}.',
                'What animal stands for {who}?'],
               ['Which animal does the coat of arms of {who} show?', 'Which animal stands for {who}?']),
}


def fact(rng, world, forms):
    who = rng.choice(list(world))
    attribute = rng.choice(list(forms))
    answer, asked, held_out = forms[attribute]
    what = world[who][attribute]
    form, side = rng.choice([(rng.choice(asked), 'train'), (rng.choice(asked), 'train'), (rng.choice(held_out), 'eval')])
    return Item('', [(form.format(who=who), answer.format(who=who, what=what))], 'contains', what, side)


def author(rng):
    item = fact(rng, AUTHORS, AUTHOR_FORMS)
    item.task = 'know.author'
    return item


def place(rng):
    item = fact(rng, PLACES, PLACE_FORMS)
    item.task = 'know.place'
    return item


def who_wrote(rng):
    """The reverse direction: from a title to its author."""
    name = rng.choice(list(AUTHORS))
    asked = ['Who wrote "{}"?', 'Who is the author of "{}"?', 'Which author wrote "{}"?', 'Name the author of "{}".']
    held_out = ['By whom is "{}"?', 'Who is the writer of "{}"?']
    form, side = rng.choice([(rng.choice(asked), 'train'), (rng.choice(asked), 'train'), (held_out[1], 'eval')])
    title = AUTHORS[name]['book']
    return Item('know.title', [(form.format(title), f'{name} wrote "{title}".')], 'contains', name, side)


TASKS = {author: 4, place: 4, who_wrote: 1}
