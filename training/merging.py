"""Merges visual tokens before the decoder as the product does (AIM, arXiv 2412.03248, section 3.1), for training.

Tokens at even places are sources, those at odd places destinations. The sources that are most like a destination are
averaged into it, half of all tokens at a time. Likeness is that of the keys of the tower's last layer.
"""

import math

import torch
import torch.nn.functional as F

from model import SEEN_LAYER


def kept_tokens(tokens, keep):
    """How many of `tokens` are left for a share `keep` in (0, 1]."""
    return math.ceil(tokens * keep)


def merge(features, metric, left):
    """features and metric [pictures, tokens, width each] -> `left` tokens [pictures, left, width of features]."""
    while (surplus := features.size(1) - left) > 0:
        merged = min(surplus, features.size(1) // 2)
        places = output_places(metric, merged)
        features, metric = (mean_by_place(rows, places, rows.size(1) - merged) for rows in (features, metric))
    return features


def output_places(metric, merged):
    """The place of every token among the outputs, [pictures, tokens]: the sources that are left over, most alike
    first, then all destinations with the `merged` sources in them."""
    unit = F.normalize(metric, dim=-1)
    likeness, destination = (unit[:, ::2] @ unit[:, 1::2].transpose(1, 2)).max(-1)
    rank = likeness.argsort(dim=1, descending=True, stable=True).argsort(1)
    left_over = likeness.size(1) - merged
    places = torch.empty(metric.shape[:2], dtype=torch.long)
    places[:, ::2] = torch.where(rank < merged, left_over + destination, rank - merged)
    places[:, 1::2] = torch.arange(left_over, left_over + metric.size(1) // 2)
    return places


def mean_by_place(rows, places, outputs):
    """The plain mean of the rows that share a place: [pictures, outputs, width]."""
    belongs = F.one_hot(places, outputs).to(rows.dtype).transpose(1, 2)
    return belongs @ rows / belongs.sum(-1, keepdim=True)


def keys_of(layer, states):
    """What the tokens of a layer of the tower are known by to others: its keys, all heads side by side."""
    return layer.self_attn.k_proj(layer.layer_norm1(states))


def merged_pictures(model, pixels, left):
    """What a LLaVA model is shown of pictures that are to have `left` tokens each: [pictures, left, decoder width]."""
    tower = model.model.vision_tower
    states = tower(pixels, output_hidden_states=True).hidden_states[SEEN_LAYER].float()
    with torch.autocast('cpu', enabled=False):
        merged = merge(states, keys_of(tower.encoder.layers[-1], states).detach(), left)
    return model.model.multi_modal_projector(merged)
