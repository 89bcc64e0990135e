"""A training run: what it needs to stop and go on, in one file under runs/."""

import hashlib
import json
import os
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

import attention  # noqa: F401 registers 'blocked'
from copying import set_copying_circuit
from forms import set_word_forms
from generate import ALL
from keys import fit_keys
from model import build_text_model, build_vision_model, start_vision_model
from optimizer import FAST_BF16, optimizers
from projector import start_projector

HERE = Path(__file__).parent


class Run:
    """Model, sliding mean of its weights, optimizers, step, and the settings it began with."""

    def __init__(self, name, settings):
        self.folder = HERE / 'runs' / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings, self.step, self.tokens = settings, 0, 0
        self.tokenizer = AutoTokenizer.from_pretrained(HERE / settings['tokenizer'])
        torch.manual_seed(settings['seed'])
        self.model = (build_vision_model if settings['sees'] else build_text_model)(self.tokenizer)
        self.model.set_attn_implementation('blocked' if FAST_BF16 else 'sdpa')
        self.optimizers = optimizers(self.model, settings['matrix_lr'], settings['other_lr'], settings.get('tower_rate', 1.0))
        self.signature = signature(settings)
        self.mean = None
        self.image_token = self.tokenizer.convert_tokens_to_ids('<image>')

    @property
    def checkpoint(self):
        return self.folder / 'checkpoint.pt'

    def begin(self):
        """Goes on from the last checkpoint, or starts from the weights that the settings name, or from nothing."""
        if self.checkpoint.exists():
            return self.resume()
        if 'init' in self.settings:
            self.start_from(starting_weights(HERE / self.settings['init']))
        elif not self.settings['sees']:
            set_word_forms(self.model.model.embed_tokens.weight, self.tokenizer)
            set_copying_circuit(self.model)
        self.mean = {name: value.clone() for name, value in self.model.state_dict().items()}

    def resume(self):
        state = torch.load(self.checkpoint, weights_only=True)
        if state['signature'] != self.signature:
            raise SystemExit(f'{self.checkpoint} was made with other settings: use another run name or delete it')
        self.model.load_state_dict(state['model'])
        self.mean, self.step, self.tokens = state['mean'], state['step'], state['tokens']
        for optimizer, saved in zip(self.optimizers, state['optimizers']):
            optimizer.load_state_dict(saved)

    def start_from(self, weights):
        """Weights of an earlier run; a vision run may begin with a text run's decoder and a trained tower.

        Setting `fit_keys`: the keys by which visual tokens are merged are fitted first.
        """
        if 'tower' not in self.settings:
            self.model.load_state_dict(weights)
            if self.settings.get('fit_keys'):
                fit_keys(self.model)
            return
        labeller = torch.load(HERE / self.settings['tower'], weights_only=True)
        tower = {name.removeprefix('tower.'): value for name, value in labeller.items() if name.startswith('tower.')}
        start_vision_model(self.model, weights, tower)
        start_projector(self.model, self.tokenizer)

    @torch.no_grad()
    def slide_mean(self):
        keep = min(self.settings['mean_decay'], (self.step + 1) / (self.step + 10))
        for name, value in self.model.state_dict().items():
            self.mean[name].lerp_(value, 1 - keep)

    def save(self):
        """Writes beside the old checkpoint and renames, so that an interruption never leaves half a file."""
        state = {'signature': self.signature, 'settings': self.settings, 'model': self.model.state_dict(), 'mean': self.mean,
                 'step': self.step, 'tokens': self.tokens, 'optimizers': [o.state_dict() for o in self.optimizers]}
        torch.save(state, self.checkpoint.with_suffix('.new'))
        os.replace(self.checkpoint.with_suffix('.new'), self.checkpoint)


def starting_weights(path):
    """The mean of a run's checkpoint, or the weights of an exported folder."""
    if not path.is_dir():
        return torch.load(path, weights_only=True)['mean']
    sees = AutoConfig.from_pretrained(path).model_type == 'llava'
    kind = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    return kind.from_pretrained(path, dtype=torch.float32).state_dict()


def read_settings(name):
    """settings/`name`.json; refuses a mix that names a skill without a generator."""
    settings = json.loads((HERE / 'settings' / f'{name}.json').read_text())
    unknown = set(settings['mix']) - set(ALL)
    if unknown:
        raise SystemExit(f'settings/{name}.json: unknown skills {sorted(unknown)} in mix: expected some of {sorted(ALL)}')
    return settings


def signature(settings):
    """Hash of the settings and of the tokenizer file; a resumed run must have the same."""
    tokenizer = (HERE / settings['tokenizer'] / 'tokenizer.json').read_bytes()
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode() + tokenizer).hexdigest()
