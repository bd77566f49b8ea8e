"""Gemma 4's mixture of experts in numpy and float64, straight from its equations: slow, plain, and of any shape.

Shares nothing with the engine. Weights are arrays by their GGUF names, matrices as [out, in], stacks as [expert, out, in].
"""
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Layer:
    sliding: bool
    kv_heads: int
    head_dim: int


@dataclass
class Shape:
    vocabulary: int
    hidden: int
    heads: int
    dense_ffn: int
    expert_ffn: int
    experts: int
    used: int
    window: int
    layers: list
    eps: float = 1e-6
    softcap: float = 30.0
    base_sliding: float = 1e4
    base_global: float = 1e6
    context: int = 4096


@dataclass
class Said:
    logits: np.ndarray                            # [tokens, vocabulary]
    margins: list = field(default_factory=list)   # of each choice: how much likelier the last expert is than the next


def rms_norm(x, eps, weight=None):
    y = x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    return y if weight is None else y * weight


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def to_8_bits(x):
    """Sixteen at a time, with a scale of their own."""
    blocks = x.reshape(*x.shape[:-1], -1, 16)
    step = np.abs(blocks).max(-1, keepdims=True) / 127
    return (np.round(blocks / np.where(step, step, 1)) * step).reshape(x.shape)


def rotate(x, frequencies):
    """x: [tokens, heads, dim], turned by position: dimension i with i + dim/2."""
    half = x.shape[-1] // 2
    angle = np.arange(x.shape[0])[:, None, None] * frequencies
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], -1)


def attention(a, shape, layer, of, divisors):
    n, dim = len(a), layer.head_dim
    heads = lambda x: x.reshape(n, -1, dim)
    q, k = heads(a @ of("attn_q.weight").T), heads(a @ of("attn_k.weight").T)
    # Without values of their own the raw keys are the values.
    v = heads(a @ of("attn_v.weight").T) if of("attn_v.weight") is not None else k
    q, k = rms_norm(q, shape.eps, of("attn_q_norm.weight")), rms_norm(k, shape.eps, of("attn_k_norm.weight"))
    v = rms_norm(v, shape.eps)
    base = shape.base_sliding if layer.sliding else shape.base_global
    frequencies = base ** (-2 * np.arange(dim // 2) / dim)
    if not layer.sliding:
        frequencies = frequencies / divisors
    q, k = rotate(q, frequencies), rotate(k, frequencies)
    group = shape.heads // layer.kv_heads
    k, v = k.repeat(group, 1), v.repeat(group, 1)
    scores = np.einsum("qhd,khd->hqk", q, k)
    back = np.arange(n)[:, None] - np.arange(n)[None, :]
    seen = (back >= 0) & (back < shape.window if layer.sliding else True)
    out = np.einsum("hqk,khd->qhd", softmax(np.where(seen, scores, -np.inf)), v)
    return out.reshape(n, -1) @ of("attn_output.weight").T


def experts(r, shape, of, inputs, said):
    u = rms_norm(r, shape.eps) * of("ffn_gate_inp.scale") / np.sqrt(shape.hidden)
    scores = u @ of("ffn_gate_inp.weight").T
    order = np.argsort(-scores, -1, kind="stable")
    if shape.used < shape.experts:
        ranked = np.take_along_axis(scores, order, -1)
        said.margins += list(ranked[:, shape.used - 1] - ranked[:, shape.used])
    chosen = order[:, :shape.used]
    p = np.take_along_axis(softmax(scores), chosen, -1)
    shares = p / p.sum(-1, keepdims=True) * of("ffn_down_exps.scale")[chosen]
    x = rms_norm(r, shape.eps, of("pre_ffw_norm_2.weight"))
    both, down = of("ffn_gate_up_exps.weight"), of("ffn_down_exps.weight")
    x = inputs(x, "ffn_gate_up_exps.weight")
    out = np.zeros_like(r)
    for t in range(len(r)):
        for e, share in zip(chosen[t], shares[t]):
            gate, up = both[e][:shape.expert_ffn] @ x[t], both[e][shape.expert_ffn:] @ x[t]
            out[t] += share * (down[e] @ inputs(gelu_tanh(gate) * up, "ffn_down_exps.weight"))
    return out


def forward(shape, weights, ids, rounded=()):
    """`rounded`: names of matrices whose inputs are to be rounded to 8 bits."""
    said = Said(None)
    h = weights["token_embd.weight"][ids] * np.sqrt(shape.hidden)
    for number, layer in enumerate(shape.layers):
        of = lambda name: weights.get(f"blk.{number}.{name}")
        norm = lambda x, name: rms_norm(x, shape.eps, of(name))
        inputs = lambda x, name: to_8_bits(x) if f"blk.{number}.{name}" in rounded else x
        product = lambda x, name: inputs(x, name) @ of(name).T
        a = attention(norm(h, "attn_norm.weight"), shape, layer, of, weights.get("rope_freqs.weight"))
        h = h + norm(a, "post_attention_norm.weight")
        x = norm(h, "ffn_norm.weight")
        dense = product(gelu_tanh(product(x, "ffn_gate.weight")) * product(x, "ffn_up.weight"), "ffn_down.weight")
        sparse = experts(h, shape, of, inputs, said)
        f = norm(dense, "post_ffw_norm_1.weight") + norm(sparse, "post_ffw_norm_2.weight")
        h = (h + norm(f, "post_ffw_norm.weight")) * of("layer_output_scale.weight")
    h = rms_norm(h, shape.eps, weights["output_norm.weight"])
    output = "token_embd.weight" if weights.get("output.weight") is None else "output.weight"
    logits = (to_8_bits(h) if output in rounded else h) @ weights[output].T
    said.logits = shape.softcap * np.tanh(logits / shape.softcap) if shape.softcap else logits
    return said
