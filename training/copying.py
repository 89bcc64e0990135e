"""Gives a new decoder the circuit for copying (an induction head, Olsson et al. 2022) before it has seen any data.

Layer 0 looks one token back and writes down a code of that token; layer 1 looks for the place whose code is that of
the present token, so for what followed it last time, and says that again. Found by training alone this takes
millions of tokens; set by hand it is there at step 0, and training bends it as it likes.
"""

import torch

CONSTANT = 0.2  # size of the direction that all embeddings share, so that a head can attend by position alone
SHARPNESS = 0.8
LOUDNESS = 0.1  # of a note beside the embedding it is added to


def wavelengths(head, theta=10_000.0):
    """Rotary angle per token of each pair of head dimensions (i, i + head / 2)."""
    return theta ** (-torch.arange(head // 2) * 2.0 / head)


def random_rows(count, width):
    """Orthonormal rows [count, width] that ignore dimension 0, the constant one."""
    basis = torch.linalg.qr(torch.randn(width - 1, count))[0].T
    return torch.cat([torch.zeros(count, 1), basis], 1)


@torch.no_grad()
def set_copying_circuit(model, match=4.0, said=30.0):
    """Overwrites the attention of the first two layers and the shared direction of the embeddings."""
    config, layers = model.config, model.model.layers
    head, width, half = config.head_dim, config.hidden_size, config.head_dim // 2
    group = config.num_attention_heads // config.num_key_value_heads
    model.model.embed_tokens.weight[:, 0] = CONSTANT
    rows = random_rows(2 * half * config.num_key_value_heads, width).split(half)  # one basis: no crosstalk
    codes, notes = rows[0::2], rows[1::2]
    look_back(layers[0].self_attn, torch.cat(codes), torch.cat(notes), head, group)
    for kv, (code, note) in enumerate(zip(codes, notes)):
        match_and_say(layers[1].self_attn, kv, code * match, note * match, said, head, group)


def look_back(attention, codes, notes, head, group):
    """The heads of KV group 0 attend to the token before, by rotary phase, and write its code as a note."""
    fast, angles = 6, wavelengths(head)
    key = torch.zeros(head)
    key[:fast] = SHARPNESS
    query = torch.zeros(head)
    query[:fast] = SHARPNESS * torch.cos(angles[:fast])
    query[head // 2 : head // 2 + fast] = -SHARPNESS * torch.sin(angles[:fast])
    attention.k_proj.weight[:head] = 0
    attention.k_proj.weight[:head, 0] = key
    attention.v_proj.weight[:head] = codes
    for q in range(group):
        rows = slice(q * head, (q + 1) * head)
        attention.q_proj.weight[rows] = 0
        attention.q_proj.weight[rows, 0] = query
        attention.o_proj.weight[:, rows] = notes.T / group * LOUDNESS


def match_and_say(attention, kv, code, note, said, head, group):
    """The heads of one KV group match the present token's code with notes, and repeat the content found there."""
    first = head // 4
    slow = [*range(first, head // 2), *range(head // 2 + first, head)]
    content = random_rows(head, attention.k_proj.weight.size(1))
    mine = slice(kv * head, (kv + 1) * head)
    keys = torch.zeros(head, code.size(1))
    keys[slow] = note[: len(slow)]
    queries = torch.zeros(head, code.size(1))
    queries[slow] = code[: len(slow)]
    attention.k_proj.weight[mine] = keys
    attention.v_proj.weight[mine] = content
    for q in range(kv * group, (kv + 1) * group):
        rows = slice(q * head, (q + 1) * head)
        attention.q_proj.weight[rows] = queries
        attention.o_proj.weight[:, rows] = content.T / group * said * 0.02
