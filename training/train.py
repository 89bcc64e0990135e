"""Trains nano, resumably: `python train.py text --minutes 60` (settings in settings/text.json, state in runs/text/).

The learning rate falls to zero over the last quarter of the minutes; run it again to go on at the full rate. Ctrl-C
or SIGTERM saves and stops. It refuses to resume with other settings or another tokenizer than it began with. A
sliding mean of the weights is kept beside the weights themselves; that mean is what gets exported.

Two workers of one thread each beat one process of two threads by a quarter, more on a busy machine: each takes its
own steps, and every few steps they meet at the mean of their weights (local SGD, Stich 2019).
"""

import argparse
import json
import signal
import tempfile
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F

from merging import merged_pictures
from model import IMAGE_TOKENS
from optimizer import FAST_BF16
from projector import described, word_tables
from rows import IGNORED, Rows
from run import HERE, Run, read_settings

MEET_EVERY = 8  # steps
COOLDOWN = 0.25  # share of the minutes over which the learning rate falls


def inputs(run, ids, pictures, seen=None):
    """What the model takes: tokens, with pixels or with vectors in place of `<image>` tokens.

    `seen` [rows, 1, length, length] says which tokens each one sees; its place is how many those are.
    """
    layout = {} if seen is None else {'attention_mask': seen, 'position_ids': seen[:, 0].sum(-1) - 1}
    return layout | shown(run, ids, pictures)


def shown(run, ids, pictures):
    """Pictures are pixels, whose tokens are merged to as many as there are places for, or described patches."""
    if pictures is None:
        return {'input_ids': ids}
    embedding, places = run.model.get_input_embeddings(), ids == run.image_token
    left = int(places[0].sum())
    if not run.settings['sees']:
        vectors = described(pictures, word_tables(embedding.weight, run.tokenizer))
    elif left < IMAGE_TOKENS:
        vectors = merged_pictures(run.model, pictures, left)
    else:
        return {'input_ids': ids, 'pixel_values': pictures}
    return {'inputs_embeds': embedding(ids).masked_scatter(places[:, :, None], vectors.float())}


def answer_loss(run, batch, share):
    """Back-propagates the weighted loss on the answer tokens times `share`; returns (loss, share of tokens right)."""
    ids, targets, weights, pictures, seen = batch
    wanted = targets != IGNORED
    with torch.autocast('cpu', torch.bfloat16, enabled=FAST_BF16):
        hidden = run.model.model(**inputs(run, ids, pictures, seen), use_cache=False).last_hidden_state
        logits, targets, weights = run.model.lm_head(hidden[wanted]), targets[wanted], weights[wanted]
    loss = (F.cross_entropy(logits.float(), targets, reduction='none') * weights).sum() / weights.sum()
    (share * loss).backward()
    return loss.item(), (logits.argmax(-1) == targets).float().mean().item()


@torch.no_grad()
def meet(model, workers):
    """Leaves every worker with the mean of all workers' weights."""
    parameters = list(model.parameters())
    flat = torch.cat([p.flatten() for p in parameters])
    dist.all_reduce(flat)
    for parameter, mean in zip(parameters, (flat / workers).split([p.numel() for p in parameters])):
        parameter.copy_(mean.view_as(parameter))


def learn(run, batches, rate, workers):
    """One optimizer step on one batch per kind of row; returns {kind: (loss, accuracy)}."""
    run.model.zero_grad(set_to_none=True)
    shares = {kind: run.settings['rows'][kind]['share'] for kind in batches}
    marks = {kind: answer_loss(run, batch, shares[kind]) for kind, batch in batches.items()}
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            group['lr'] = group['full_lr'] * rate
        optimizer.step()
    run.step += 1
    run.tokens += workers * sum(ids.numel() for ids, *_ in batches.values())
    return marks


class Clock:
    """The first worker's time and signals decide the learning rate of all; a rate of 0 means stop."""

    def __init__(self, minutes, workers):
        self.seconds, self.workers, self.stopping, self.began = 60 * minutes, workers, False, time.time()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)

    def stop(self, *_):
        self.stopping = True

    def left(self):
        return self.seconds - (time.time() - self.began)

    def rate(self, warm):
        """Share of the full learning rate, asked for when workers meet; `warm` is what the warm-up allows."""
        share = 0.0 if self.stopping else min(warm, max(0.0, min(1.0, self.left() / (COOLDOWN * self.seconds))))
        agreed = torch.tensor(share)
        if self.workers > 1:
            dist.broadcast(agreed, 0)
        return agreed.item()


def train(run, minutes, worker, workers):
    """Steps until the time is over; the first worker keeps the mean, reports and saves."""
    settings, window, clock = run.settings, [], Clock(minutes, workers)
    rows = Rows(run.tokenizer, settings, seed=f'{settings["seed"]} {run.step} {worker}')
    began, before = time.time(), run.tokens
    rate = None
    while True:
        if rate is None or run.step % MEET_EVERY == 0 or workers == 1:
            if workers > 1:
                meet(run.model, workers)
            rate = clock.rate(min(1.0, (run.step + MEET_EVERY) / settings['warmup']))
        if not rate:
            break
        window.append(learn(run, rows.batches(), rate, workers))
        if worker > 0:
            continue
        run.slide_mean()
        if run.step % settings['log_every'] == 0:
            report(run, window, (run.tokens - before) / (time.time() - began), clock.left() / 60)
            window, began, before = [], time.time(), run.tokens
        if run.step % settings['save_every'] == 0:
            run.save()
    if worker == 0:
        run.save()


def report(run, window, tokens_per_second, minutes_left):
    """The progress line."""
    kinds = []
    for kind in window[0]:
        loss, accuracy = (sum(column) / len(window) for column in zip(*(marks[kind] for marks in window)))
        kinds.append(f'{kind} loss {loss:.3f} accuracy {accuracy:.3f}')
    print(f'{time.strftime("%H:%M:%S")} step {run.step} {", ".join(kinds)} {tokens_per_second:.0f} tokens/s '
          f'{run.tokens / 1e6:.2f} M tokens, {minutes_left:.0f} min left', flush=True)


def work(worker, name, settings, minutes, workers, meeting):
    """One worker process of one thread; the first one prepares what the others read."""
    torch.set_num_threads(1)
    if workers > 1:
        dist.init_process_group('gloo', init_method=f'file://{meeting}', rank=worker, world_size=workers)
    run = Run(name, settings)
    if worker == 0:
        run.begin()
        run.save()
        print(f'{sum(p.numel() for p in run.model.parameters()) / 1e6:.2f} M parameters, from step {run.step}', flush=True)
    if workers > 1:
        dist.barrier()
    if worker > 0:
        run.resume()
    train(run, minutes, worker, workers)


def start(name, minutes, workers):
    """Checks the settings, then runs the workers; a signal goes to the first of them, which stops them all."""
    settings = read_settings(name)
    with tempfile.TemporaryDirectory() as folder:
        spawn = torch.multiprocessing.get_context('spawn')
        job = (name, settings, minutes, workers, f'{folder}/meeting')
        processes = [spawn.Process(target=work, args=(worker, *job)) for worker in range(workers)]
        for process in processes:
            process.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: processes[0].terminate())
        for process in processes:
            process.join()
    return max(abs(process.exitcode) for process in processes)


if __name__ == '__main__':
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('name', help='a file of settings/, without .json')
    arguments.add_argument('--minutes', type=float, required=True)
    arguments.add_argument('--workers', type=int, default=2)
    options = arguments.parse_args()
    raise SystemExit(start(options.name, options.minutes, options.workers))
