"""talk: greet, say what it is and can do, remember what was said, refuse politely."""

from .item import Item
from .words import ANIMALS, CITIES, COLOURS, JOBS, NAMES

ABILITIES = (
    'I can chat, copy and edit text, pull out fields, write JSON, sort lists, add small numbers, '
    'tell short stories and answer questions about my own authors and places.'
)
IDENTITY = 'I am nano, a very small model that runs inside trimtab.'
PLAIN_GREETINGS = ['Hello', 'Hi', 'Hey', 'Hi there', 'Hello there', 'Hey there', 'Greetings', 'hello', 'hi', 'hey']
TIMED_GREETINGS = ['Good morning', 'Good evening', 'Good afternoon', 'Good day']
ADDRESSES = ['', '', '', ', nano', ' nano', ', friend', ', my friend', ', assistant', ' again', ' everyone']
WELL_QUESTIONS = ['How are you?', 'How are you today?', 'How do you do?', 'How is it going?', "How's it going?"]


def greet(rng):
    timed = rng.random() < 0.3
    greeting = rng.choice(TIMED_GREETINGS if timed else PLAIN_GREETINGS)
    reply = greeting if timed else 'Hello'
    question = greeting + rng.choice(ADDRESSES) + rng.choice(['', '!', '.', '!'])
    if rng.random() < 0.3:
        question = f'{question.rstrip("!.")}! {rng.choice(WELL_QUESTIONS)}'
        return Item('talk.greet', [(question, f'{reply}! I am well, thank you. How can I help you?')])
    return Item('talk.greet', [(question, f'{reply}! How can I help you?')])


def identity(rng):
    opening = rng.choice(['', '', '', 'Hello! ', 'Please tell me: ', 'So, ', 'Hi, '])
    question = rng.choice([
        'who are you?', 'what are you?', 'what is your name?', 'tell me about yourself.', 'introduce yourself.',
        'are you a human?', 'are you a person or a machine?', 'which model are you?', 'what model is this?',
        'who am I talking to?', "what's your name?", 'do you have a name?', 'are you a robot?', 'say who you are.',
    ])
    question = opening + (question if opening.strip()[-1:] in (',', ':') else question[0].upper() + question[1:])
    return Item('talk.identity', [(question, IDENTITY)])


def ability(rng):
    opening = rng.choice(['', '', '', 'Hello! ', 'OK. ', 'Thanks. '])
    question = rng.choice([
        'What can you do?', 'What can you do for me?', 'How can you help me?', 'What are you good at?', 'Help',
        'What do you know?', 'Can you help me?', 'What are your skills?', 'List your skills.', 'What can I ask you?',
        'What should I ask you?', 'Tell me what you can do.', 'What are you able to do?', 'How do I use you?',
    ])
    return Item('talk.ability', [(opening + question, ABILITIES)])


def manners(rng):
    thanks = ['Thanks', 'Thank you', 'Thank you very much', 'Thanks a lot', 'Many thanks', 'Great, thanks',
              'Thank you, nano', 'Thanks, that helps', 'Nice, thank you', 'Perfect, thanks']
    byes = ['Bye', 'Goodbye', 'See you', 'See you later', 'Bye bye', 'Good night', 'Bye, nano', 'Goodbye, nano',
            'I have to go', 'Until next time', 'See you tomorrow']
    praise = ['Well done', 'Good job', 'That is great', 'You are clever', 'Nice', 'Very good', 'Great', 'Cool']
    said, reply = rng.choice([
        (thanks, 'You are welcome!'), (byes, 'Goodbye! It was nice to talk to you.'), (praise, 'Thank you! I am glad.'),
    ])
    return Item('talk.manners', [(rng.choice(said) + rng.choice(['', '!', '.']), reply)])


REMEMBERED = [
    # kind, value pool, ways to say it, reply, ways to ask, answer
    ('name', NAMES, ['My name is {}.', 'I am {}.', "Hi, I'm {}.", 'Call me {}.', 'Hello, my name is {}.'],
     'Nice to meet you, {}!', ['What is my name?', 'Who am I?', 'Do you remember my name?', "What's my name?",
                               'Can you tell me my name?', 'What am I called?'], 'Your name is {}.'),
    ('number', [str(n) for n in range(2, 100)],
     ['Remember the number {}.', 'My number is {}.', 'My lucky number is {}.', 'Please keep the number {} in mind.'],
     'I will remember {}.', ['What is the number?', 'Which number did I say?', 'What number did I give you?',
                             'What was the number?', 'Tell me my number.'], 'The number is {}.'),
    ('colour', COLOURS, ['My favourite colour is {}.', 'I like {} best of all colours.', 'I love the colour {}.'],
     '{} is a lovely colour.', ['What is my favourite colour?', 'Which colour do I like?',
                                'What colour do I like best?', 'Tell me my favourite colour.'],
     'Your favourite colour is {}.'),
    ('pet', ANIMALS, ['I have a {} at home.', 'My pet is a {}.', 'I own a {}.'], 'A {} is good company.',
     ['Which pet do I have?', 'What animal do I have?', 'What is my pet?'], 'You have a {}.'),
    ('home', CITIES, ['I live in {}.', 'My home is in {}.', 'I come from {}.'], '{} sounds like a nice place.',
     ['Where do I live?', 'Where is my home?', 'Which city do I come from?'], 'You live in {}.'),
    ('job', JOBS, ['I work as a {}.', 'I am a {}.', 'My job is {}.'], 'Being a {} must be interesting.',
     ['What is my job?', 'What do I do for work?', 'What do I work as?'], 'You work as a {}.'),
]


def remember(rng):
    """One or two facts about the user, something in between, then a question about one of them."""
    kinds = rng.sample(REMEMBERED, rng.choice([1, 1, 2, 2, 3]))
    turns, facts = [], []
    for kind in kinds:
        value = rng.choice(kind[1])
        reply = kind[3].format(value)
        turns.append((rng.choice(kind[2]).format(value), reply[0].upper() + reply[1:]))
        facts.append((kind, value))
    if rng.random() < 0.4:
        turns.insert(rng.randrange(len(turns) + 1), rng.choice([greet, identity, manners, refuse])(rng).turns[0])
    kind, value = rng.choice(facts)
    turns.append((rng.choice(kind[4]), kind[5].format(value)))
    return Item('talk.remember', turns, 'contains', value)


NO_SENSES = 'I am sorry, I cannot know that: I have no access to the outside world.'
NO_HANDS = 'I am sorry, I cannot do that: I can only answer in text.'
NO_HARM = 'I am sorry, I will not help with that.'
NO_IDEA = 'I am sorry, I do not know that.'


def refuse(rng):
    city, job, name, animal = rng.choice(CITIES), rng.choice(JOBS), rng.choice(NAMES), rng.choice(ANIMALS)
    question, answer = rng.choice([
        (rng.choice([f'What is the weather in {city}?', f'Will it rain in {city} {rng.choice(["today", "tomorrow"])}?',
                     'What time is it?', 'What day is it today?', f'What is the time in {city}?',
                     f'What is in the news in {city}?', 'What is the price of gold today?', 'Who won the game?',
                     f'How warm is it in {city} now?', 'Where am I?', f'Is {name} at home now?',
                     f'How many people are in {city} right now?']), NO_SENSES),
        (rng.choice([f'Call {name}.', f'Please call my {job}.', f'Send a letter to {name}.', 'Play some music.',
                     f'Book a train to {city}.', f'Buy me a {animal}.', f'Order a cake for {name}.', 'Open the window.',
                     f'Drive me to {city}.', 'Turn on the light.', f'Send an email to my {job}.',
                     f'Feed my {animal}.', f'Wake {name} up at {rng.randrange(5, 10)}.']), NO_HANDS),
        (rng.choice([f'How do I steal from a {job}?', f'Help me hurt a {animal}.', 'How do I make a bomb?',
                     f'Tell me the password of {name}.', f'How can I poison a {animal}?', f'Help me hurt {name}.',
                     f'How do I break into the house of {name}?', f'How do I lie to my {job}?',
                     f'Write something mean about {name}.', f'Help me scare a {job}.']), NO_HARM),
        (rng.choice([f'What is the capital of {rng.choice(["France", "Spain", "Italy", "Japan", "India", "Peru"])}?',
                     f'Who built {city}?', f'How old is the city of {city}?', 'Who wrote Hamlet?', 'What is physics?',
                     f'How long does a {animal} live?', f'Why is the {rng.choice(["sky", "sea"])} blue?',
                     f'How much does a {animal} weigh?', f'How much does a {job} earn?', 'What is the meaning of life?',
                     'Who was the first man on the moon?', f'What is the history of {city}?']), NO_IDEA),
    ])
    opening = rng.choice(['', '', '', 'Please help. ', 'One question: ', 'Hello! ', 'OK. ', 'nano, '])
    return Item('talk.refuse', [(opening + question, answer)])


TASKS = {greet: 2, identity: 1, ability: 1, manners: 1, remember: 4, refuse: 3}
