"""Trains nano, resumably: `python train.py text` (settings in settings/text.json, state in runs/text/).

Ctrl-C or SIGTERM saves and stops; run it again to go on. It refuses to resume with other settings than it began with.
A sliding mean of the weights is kept beside the weights themselves; that mean is what gets exported.
"""

import argparse
import hashlib
import json
import os
import signal
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import AutoTokenizer

from copying import set_copying_circuit
from model import build_text_model, build_vision_model, start_vision_model
from optimizer import optimizers
from rows import IGNORED, Rows, known_skills

HERE = Path(__file__).parent


class Run:
    """Everything a run needs to stop and go on: model, its mean, optimizers, step and the settings it began with."""

    def __init__(self, name, settings):
        self.folder = HERE / 'runs' / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings, self.step, self.tokens = settings, 0, 0
        self.tokenizer = AutoTokenizer.from_pretrained(HERE / settings['tokenizer'])
        torch.manual_seed(settings['seed'])
        self.model = (build_vision_model if settings['images'] else build_text_model)(self.tokenizer)
        if not settings['images']:
            set_copying_circuit(self.model)
        self.mean = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.optimizers = optimizers(self.model, settings['matrix_lr'], settings['other_lr'])
        self.signature = signature(settings)

    @property
    def checkpoint(self):
        return self.folder / 'checkpoint.pt'

    def resume(self):
        """Loads the last checkpoint if there is one, or the starting weights that the settings name."""
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, weights_only=True)
            if state['signature'] != self.signature:
                raise SystemExit(f'{self.checkpoint} was made with other settings: use another run name or delete it')
            self.model.load_state_dict(state['model'])
            self.mean, self.step, self.tokens = state['mean'], state['step'], state['tokens']
            for optimizer, saved in zip(self.optimizers, state['optimizers']):
                optimizer.load_state_dict(saved)
        elif 'init' in self.settings:
            self.start_from(torch.load(HERE / 'runs' / self.settings['init'] / 'checkpoint.pt', weights_only=True))

    def start_from(self, state):
        """Weights of an earlier run; a vision run may begin with a text run's decoder and the pre-trained tower."""
        if 'tower' in self.settings:
            start_vision_model(self.model, state['mean'], torch.load(HERE / self.settings['tower'], weights_only=True))
        else:
            self.model.load_state_dict(state['mean'])
        self.mean = {name: value.clone() for name, value in self.model.state_dict().items()}

    def save(self):
        """Writes beside the old checkpoint and renames, so that an interruption never leaves half a file."""
        state = {'signature': self.signature, 'settings': self.settings, 'model': self.model.state_dict(), 'mean': self.mean,
                 'step': self.step, 'tokens': self.tokens, 'optimizers': [o.state_dict() for o in self.optimizers]}
        torch.save(state, self.checkpoint.with_suffix('.new'))
        os.replace(self.checkpoint.with_suffix('.new'), self.checkpoint)


def signature(settings):
    """Hash of the settings and of the tokenizer file; a resumed run must have the same."""
    tokenizer = (HERE / settings['tokenizer'] / 'tokenizer.json').read_bytes()
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode() + tokenizer).hexdigest()


def rate(settings, step):
    """Share of the full learning rate: a linear warm-up, a plateau, a linear way down over the last `cooldown` steps."""
    up = min(1.0, (step + 1) / settings['warmup'])
    left = (settings['steps'] - step) / max(1, settings['cooldown'])
    return min(up, max(0.0, min(1.0, left)))


def learn(run, ids, targets, pictures):
    """One optimizer step; returns (loss, share of answer tokens predicted right)."""
    for optimizer, lr in zip(run.optimizers, (run.settings['matrix_lr'], run.settings['other_lr'])):
        for group in optimizer.param_groups:
            group['lr'] = lr * rate(run.settings, run.step)
    seen = {} if pictures is None else {'pixel_values': pictures}
    hidden = run.model.model(input_ids=ids, use_cache=False, **seen).last_hidden_state
    wanted = targets != IGNORED
    logits, targets = run.model.lm_head(hidden[wanted]), targets[wanted]
    loss = F.cross_entropy(logits, targets)
    run.model.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    for optimizer in run.optimizers:
        optimizer.step()
    keep = min(run.settings['mean_decay'], (run.step + 1) / (run.step + 10))
    with torch.no_grad():
        for name, value in run.model.state_dict().items():
            run.mean[name].lerp_(value, 1 - keep)
    return loss.item(), (logits.argmax(-1) == targets).float().mean().item()


def train(run):
    settings = run.settings
    mix, seed = known_skills(settings['mix']), settings['seed'] + run.step
    rows = Rows(run.tokenizer, settings['length'], mix, seed, settings['echo'], settings['images'])
    window, began, stopping = [], time.time(), []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.append(True))
    while run.step < settings['steps'] and not stopping:
        ids, targets, pictures = rows.batch(settings['batch'])
        window.append(learn(run, ids, targets, pictures))
        run.step += 1
        run.tokens += ids.numel()
        if run.step % settings['log_every'] == 0:
            report(run, window, ids.numel() * len(window) / (time.time() - began))
            window, began = [], time.time()
        if run.step % settings['save_every'] == 0:
            run.save()
    run.save()


def report(run, window, tokens_per_second):
    """The progress line."""
    loss, accuracy = (sum(column) / len(window) for column in zip(*window))
    per_step = run.settings['batch'] * run.settings['length']
    left = (run.settings['steps'] - run.step) * per_step / tokens_per_second / 60
    print(f'{time.strftime("%H:%M:%S")} step {run.step} loss {loss:.3f} accuracy {accuracy:.3f} '
          f'{tokens_per_second:.0f} tokens/s {run.tokens / 1e6:.2f} M tokens, {left:.0f} min left', flush=True)


if __name__ == '__main__':
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('name', help='a file of settings/, without .json')
    arguments.add_argument('--threads', type=int, default=2)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    run = Run(options.name, json.loads((HERE / 'settings' / f'{options.name}.json').read_text()))
    run.resume()
    (HERE / 'runs' / 'train.pid').write_text(str(os.getpid()))
    print(f'{sum(p.numel() for p in run.model.parameters()) / 1e6:.2f} M parameters, from step {run.step}', flush=True)
    train(run)
