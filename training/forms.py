"""Starts the embeddings of all forms of a word near each other: ' fox', 'fox', 'FOX' and ' FOX' are one word in four
forms, so a form is a fixed shift away from the word. Changing case or place is then a small step from copying."""

from collections import defaultdict

import torch

PLAIN = [(True, 'lower'), (True, 'capital')]  # the form that a word has inside a sentence
SHIFT = 0.5  # length of a form's shift, in mean lengths of an embedding


def form_of(token):
    """(has a leading space, case) of a token's text, e.g. ' FOX' -> (True, 'upper')."""
    word = token.removeprefix(' ')
    case = 'upper' if len(word) > 1 and word.isupper() else 'capital' if word[:1].isupper() else 'lower'
    return token.startswith(' '), case


def word_forms(tokenizer):
    """{word in lower case: {form: token id}} of all tokens that are whole words of letters."""
    words = defaultdict(dict)
    for token_id in range(len(tokenizer)):
        token = tokenizer.decode([token_id])
        if token.strip().isalpha():
            words[token.strip().lower()][form_of(token)] = token_id
    return words


@torch.no_grad()
def set_word_forms(embedding, tokenizer):
    """Moves the embeddings of every word's forms, in place, next to that of the word; embedding is [vocabulary, width]."""
    length = SHIFT * embedding.norm(dim=1).mean()
    shifts = defaultdict(lambda: length * torch.nn.functional.normalize(torch.randn(embedding.size(1)), dim=0))
    for forms in word_forms(tokenizer).values():
        plain = next((form for form in PLAIN if form in forms), None)
        if plain is None:
            continue
        word = embedding[forms[plain]].clone()
        for form, token_id in forms.items():
            if form != plain:
                embedding[token_id] = word + shifts[form]
