#!/usr/bin/env python3
"""Write a Gemma 4 A4B checkpoint with real layer dimensions, fewer layers and random BF16 weights.

For timing only: each tensor of a layer has the name, shape and dtype that it has in gemma-4-26B-A4B's safetensors.

    make_slice_checkpoint.py --layers 3 --experts 128 OUT_FOLDER

Needs: pip install numpy. The vocabulary is cut to 52,480 rows (--rows), as make_slice_gguf.py cuts it.
"""
import argparse
import json
import struct
from pathlib import Path

import numpy as np

HIDDEN, DENSE, INTER, HEADS = 2816, 2112, 704, 16
PREFIX = "model.language_model."


def layer_tensors(layer, experts):
    """name -> shape"""
    p = f"{PREFIX}layers.{layer}."
    sliding = (layer + 1) % 6 != 0
    head_dim, kv_heads = (256, 8) if sliding else (512, 2)
    tensors = {"experts.down_proj": [experts, HIDDEN, INTER], "experts.gate_up_proj": [experts, 2 * INTER, HIDDEN],
               "input_layernorm.weight": [HIDDEN], "layer_scalar": [1], "mlp.down_proj.weight": [HIDDEN, DENSE],
               "mlp.gate_proj.weight": [DENSE, HIDDEN], "mlp.up_proj.weight": [DENSE, HIDDEN],
               "post_attention_layernorm.weight": [HIDDEN], "post_feedforward_layernorm.weight": [HIDDEN],
               "post_feedforward_layernorm_1.weight": [HIDDEN], "post_feedforward_layernorm_2.weight": [HIDDEN],
               "pre_feedforward_layernorm.weight": [HIDDEN], "pre_feedforward_layernorm_2.weight": [HIDDEN],
               "router.per_expert_scale": [experts], "router.proj.weight": [experts, HIDDEN], "router.scale": [HIDDEN],
               "self_attn.k_norm.weight": [head_dim], "self_attn.k_proj.weight": [kv_heads * head_dim, HIDDEN],
               "self_attn.o_proj.weight": [HIDDEN, HEADS * head_dim], "self_attn.q_norm.weight": [head_dim],
               "self_attn.q_proj.weight": [HEADS * head_dim, HIDDEN]}
    if sliding:
        tensors["self_attn.v_proj.weight"] = [kv_heads * head_dim, HIDDEN]
    return {p + name: shape for name, shape in tensors.items()}


def random_bf16(rng, count):
    """Below 2 in magnitude: never a NaN."""
    return rng.integers(0, 1 << 16, count, np.uint16) & np.uint16(0xBFFF)


def write_shard(path, tensors, rng):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors.items():
        end = offset + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":"))
    text += " " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text.encode())
        for shape in tensors.values():
            left = int(np.prod(shape))
            while left:
                some = min(left, 1 << 26)
                file.write(random_bf16(rng, some).tobytes())
                left -= some
    return offset


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--experts", type=int, default=128)
    parser.add_argument("--rows", type=int, default=52480, help="vocabulary rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("out")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    out = Path(args.out)
    out.mkdir()
    # A layer a file, the first with what isn't of a layer.
    shards = [layer_tensors(layer, args.experts) for layer in range(args.layers)]
    shards[0] = {PREFIX + "embed_tokens.weight": [args.rows, HIDDEN], PREFIX + "norm.weight": [HIDDEN], **shards[0]}
    weight_map, total = {}, 0
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        total += write_shard(out / name, tensors, rng)
        weight_map |= {tensor: name for tensor in tensors}
    (out / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}, indent=2))
    text = {"model_type": "gemma4_text", "num_hidden_layers": args.layers, "hidden_size": HIDDEN, "num_experts": args.experts,
            "top_k_experts": 8, "moe_intermediate_size": INTER, "intermediate_size": DENSE, "vocab_size": args.rows}
    (out / "config.json").write_text(
        json.dumps({"architectures": ["Gemma4ForConditionalGeneration"], "model_type": "gemma4", "text_config": text}, indent=2))


if __name__ == "__main__":
    main()
