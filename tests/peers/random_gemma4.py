"""Small random Gemma 4 models of any shape, in any of the files that gpqa reads: GGUF (whole or split, its tensors of any type,
fused or apart) and Hugging Face checkpoints (one file or several)."""
import json
import struct

import gguf
import numpy as np

Type = gguf.GGMLQuantizationType
WIDE = ["Q6_K", "Q5_K", "Q4_K"]      # rows of whole 256s
NARROW = ["Q8_0", "Q5_0", "Q4_0"]    # of whole 32s
FLOATS = ["F32", "F16", "BF16"]
STAYS_FLOAT = ("norm.weight", "norm_1.weight", "norm_2.weight", ".scale", "layer_output_scale.weight", "ffn_gate_inp.weight",
               "rope_freqs.weight")


def names_and_shapes(shape, values_in_global):
    """Of the matrices: [out, in] or [expert, out, in]."""
    all_of = {"token_embd.weight": (shape.vocabulary, shape.hidden)}
    for number, layer in enumerate(shape.layers):
        q, kv = shape.heads * layer.head_dim, layer.kv_heads * layer.head_dim
        parts = {"attn_q": (q, shape.hidden), "attn_k": (kv, shape.hidden), "attn_output": (shape.hidden, q),
                 "ffn_gate": (shape.dense_ffn, shape.hidden), "ffn_up": (shape.dense_ffn, shape.hidden),
                 "ffn_down": (shape.hidden, shape.dense_ffn), "ffn_gate_inp": (shape.experts, shape.hidden),
                 "ffn_gate_up_exps": (shape.experts, 2 * shape.expert_ffn, shape.hidden),
                 "ffn_down_exps": (shape.experts, shape.hidden, shape.expert_ffn)}
        if layer.sliding or values_in_global:
            parts["attn_v"] = (kv, shape.hidden)
        all_of |= {f"blk.{number}.{name}.weight": dims for name, dims in parts.items()}
    return all_of


def random_blocks(draw, kind, rows, width):
    """K-quants can't be made from numbers here: any bytes are some, if the scales of a block make sense."""
    block, size = gguf.GGML_QUANT_SIZES[Type[kind]]
    raw = draw.integers(0, 256, (rows * width // block, size), np.uint8)
    # Values about as large as those of a trained matrix of this width.
    scale = {"Q6_K": 1300, "Q5_K": 380, "Q4_K": 190}[kind] * np.sqrt(width)
    d = (draw.uniform(0.7, 1.4, len(raw)) / scale).astype(np.float16)
    if kind == "Q6_K":
        raw[:, 208:210] = d.view(np.uint8).reshape(-1, 2)
    else:
        middle = {"Q5_K": 15.5, "Q4_K": 7.5}[kind]
        raw[:, 0:2] = d.view(np.uint8).reshape(-1, 2)
        raw[:, 2:4] = (d * middle).astype(np.float16).view(np.uint8).reshape(-1, 2)
    return raw.reshape(rows, width // block * size)


def encode(draw, kind, values):
    """`values` as bytes of a type, and as the numbers that these are."""
    if kind in WIDE:
        raw = random_blocks(draw, kind, int(np.prod(values.shape[:-1])), values.shape[-1])
        raw = raw.reshape(*values.shape[:-1], -1)
    else:
        raw = gguf.quants.quantize(values, Type[kind])
    return raw, gguf.quants.dequantize(raw, Type[kind]).reshape(values.shape).astype(np.float64)


def types_for(width):
    return FLOATS + (NARROW if width % 32 == 0 else []) + (WIDE if width % 256 == 0 else [])


class Model:
    """`types`: one name, or None for any that fits, drawn anew for each tensor. Fallbacks where it doesn't fit."""

    def __init__(self, shape, seed, types=None, values_in_global=False, own_output=False, plain_rope=True):
        self.shape, self.draw = shape, np.random.default_rng(seed)
        self.raw, self.kinds, self.weights = {}, {}, {}
        dims = names_and_shapes(shape, values_in_global)
        if own_output:
            dims["output.weight"] = dims["token_embd.weight"]
        for name, of in dims.items():
            wanted = np.float32(self.draw.standard_normal(of) / np.sqrt(of[-1]))
            if name.endswith("ffn_gate_inp.weight"):
                wanted *= np.float32(3 * np.sqrt(shape.hidden))  # experts that are told apart
            self.put(name, wanted, self.kind_for(name, of[-1], types))
        self.vectors(plain_rope)

    def kind_for(self, name, width, types):
        if name.endswith(STAYS_FLOAT):
            return "F32"
        if types is None:
            return self.draw.choice(types_for(width))
        return types if types in types_for(width) else "F16" if width % 32 else "Q8_0"

    def put(self, name, values, kind="F32"):
        self.kinds[name] = kind
        self.raw[name], self.weights[name] = encode(self.draw, kind, np.float32(values))

    def near(self, width, middle=1.0, spread=0.3):
        return middle + spread * self.draw.standard_normal(width)

    def vectors(self, plain_rope):
        shape = self.shape
        self.put("output_norm.weight", self.near(shape.hidden))
        for number, layer in enumerate(shape.layers):
            name = lambda part: f"blk.{number}.{part}"
            for part in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm_1", "pre_ffw_norm_2", "post_ffw_norm_2",
                         "post_ffw_norm"):
                self.put(name(part + ".weight"), self.near(shape.hidden))
            # Scores of a few units: attention that looks at some tokens more than at others.
            for part in ("attn_q_norm", "attn_k_norm"):
                self.put(name(part + ".weight"), self.near(layer.head_dim, 1.4 / layer.head_dim ** 0.25))
            self.put(name("ffn_gate_inp.scale"), self.near(shape.hidden))
            self.put(name("ffn_down_exps.scale"), self.near(shape.experts, 1, 0.8))  # some below 0
            self.put(name("layer_output_scale.weight"), self.near(1, 0.8, 0.4))
        dims = [layer.head_dim for layer in shape.layers if not layer.sliding]
        if not dims:
            return
        half = dims[0] // 2
        turned = max(half // 4, 1)
        divisors = np.where(np.arange(half) < turned, 1.0, 1e30) if plain_rope else self.draw.uniform(0.5, 40, half)
        self.put("rope_freqs.weight", divisors)

    def metadata(self, writer):
        shape, name = self.shape, "gemma4."
        of = lambda sliding: next((layer.head_dim for layer in shape.layers if layer.sliding == sliding), 2)
        for key, value in {"block_count": len(shape.layers), "context_length": shape.context, "embedding_length": shape.hidden,
                           "feed_forward_length": shape.dense_ffn, "attention.head_count": shape.heads,
                           "attention.key_length": of(False), "attention.value_length": of(False),
                           "attention.key_length_swa": of(True), "attention.value_length_swa": of(True),
                           "attention.sliding_window": shape.window, "rope.dimension_count": of(False),
                           "rope.dimension_count_swa": of(True), "expert_count": shape.experts,
                           "expert_used_count": shape.used, "expert_feed_forward_length": shape.expert_ffn}.items():
            writer.add_uint32(name + key, value)
        for key, value in {"attention.layer_norm_rms_epsilon": shape.eps, "rope.freq_base": shape.base_global,
                           "rope.freq_base_swa": shape.base_sliding, "final_logit_softcapping": shape.softcap}.items():
            if value:
                writer.add_float32(name + key, value)
        writer.add_array(name + "attention.head_count_kv", [layer.kv_heads for layer in shape.layers])
        writer.add_array(name + "attention.sliding_window_pattern", [layer.sliding for layer in shape.layers])
        writer.add_array("tokenizer.ggml.tokens", [f"t{number}" for number in range(shape.vocabulary)])

    def fused(self, apart, joined):
        """The tensors with experts' gate and up apart, or with q, k and v joined where they are of one type."""
        raw, kinds = dict(self.raw), dict(self.kinds)
        for number in range(len(self.shape.layers)):
            layer = f"blk.{number}."
            if apart:
                both, kind = raw.pop(layer + "ffn_gate_up_exps.weight"), kinds.pop(layer + "ffn_gate_up_exps.weight")
                for part, name in enumerate(("ffn_gate_exps", "ffn_up_exps")):
                    rows = slice(part * self.shape.expert_ffn, (part + 1) * self.shape.expert_ffn)
                    raw[layer + name + ".weight"] = np.ascontiguousarray(both[:, rows])
                    kinds[layer + name + ".weight"] = kind
            parts = [layer + f"attn_{part}.weight" for part in "qkv" if layer + f"attn_{part}.weight" in raw]
            if joined and len({kinds[part] for part in parts}) == 1:
                kinds[layer + "attn_qkv.weight"] = kinds[parts[0]]
                raw[layer + "attn_qkv.weight"] = np.concatenate([raw.pop(part) for part in parts])
                for part in parts:
                    kinds.pop(part)
        return raw, kinds

    def write_gguf(self, path, apart=False, joined=False, split=0):
        writer = gguf.GGUFWriter(path, "gemma4", split_max_tensors=split)
        self.metadata(writer)
        raw, kinds = self.fused(apart, joined)
        for name in sorted(raw):
            writer.add_tensor(name, raw[name], raw_dtype=Type[kinds[name]])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        if not split:
            return path
        return next(path.parent.glob(f"{path.stem}-00001-of-*.gguf"))

    def write_checkpoint(self, folder, prefix, shards=1):
        """As Hugging Face keeps it. No quantised types, and the usual divisors of the rotation."""
        shape = self.shape
        of = lambda sliding: [layer for layer in shape.layers if layer.sliding == sliding]
        kv = {sliding: of(sliding)[0].kv_heads if of(sliding) else 1 for sliding in (True, False)}
        dim = {sliding: of(sliding)[0].head_dim if of(sliding) else 2 for sliding in (True, False)}
        text = {"model_type": "gemma4_text", "vocab_size": shape.vocabulary, "hidden_size": shape.hidden,
                "num_attention_heads": shape.heads, "intermediate_size": shape.dense_ffn, "enable_moe_block": True,
                "moe_intermediate_size": shape.expert_ffn, "num_experts": shape.experts, "top_k_experts": shape.used,
                "sliding_window": shape.window, "max_position_embeddings": shape.context, "rms_norm_eps": shape.eps,
                "final_logit_softcapping": shape.softcap or None, "hidden_activation": "gelu_pytorch_tanh",
                "num_hidden_layers": len(shape.layers), "head_dim": dim[True], "global_head_dim": dim[False],
                "num_key_value_heads": kv[True], "num_global_key_value_heads": kv[False], "attention_k_eq_v": True,
                "layer_types": ["sliding_attention" if layer.sliding else "full_attention" for layer in shape.layers],
                "rope_parameters": {"sliding_attention": {"rope_theta": shape.base_sliding},
                                    "full_attention": {"rope_theta": shape.base_global, "partial_rotary_factor": 0.25}}}
        folder.mkdir()
        whole = {"model_type": "gemma4", "text_config": text} if prefix != "model." else text
        (folder / "config.json").write_text(json.dumps(whole))
        names = {checkpoint_name(name, prefix): name for name in self.raw if name != "rope_freqs.weight"}
        ordered, index = sorted(names), {}
        for number in range(shards):
            file = "model.safetensors" if shards == 1 else f"model-{number + 1:05}-of-{shards:05}.safetensors"
            part = ordered[number::shards]
            index |= {name: file for name in part}
            self.write_safetensors(folder / file, {name: names[name] for name in part})
        if shards > 1:
            (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
        return folder

    def write_safetensors(self, path, names):
        header, data = {}, b""
        for name, ours in names.items():
            dims = self.weights[ours].shape
            some = self.raw[ours].tobytes()
            header[name] = {"dtype": self.kinds[ours], "shape": dims, "data_offsets": [len(data), len(data) + len(some)]}
            data += some
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)


LAYER_NAMES = {
    "attn_norm.weight": "input_layernorm.weight", "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight", "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight", "attn_q_norm.weight": "self_attn.q_norm.weight",
    "attn_k_norm.weight": "self_attn.k_norm.weight", "post_attention_norm.weight": "post_attention_layernorm.weight",
    "ffn_norm.weight": "pre_feedforward_layernorm.weight", "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight", "ffn_down.weight": "mlp.down_proj.weight",
    "post_ffw_norm_1.weight": "post_feedforward_layernorm_1.weight",
    "pre_ffw_norm_2.weight": "pre_feedforward_layernorm_2.weight", "ffn_gate_inp.weight": "router.proj.weight",
    "ffn_gate_inp.scale": "router.scale", "ffn_down_exps.scale": "router.per_expert_scale",
    "ffn_gate_up_exps.weight": "experts.gate_up_proj", "ffn_down_exps.weight": "experts.down_proj",
    "post_ffw_norm_2.weight": "post_feedforward_layernorm_2.weight", "post_ffw_norm.weight": "post_feedforward_layernorm.weight",
    "layer_output_scale.weight": "layer_scalar"}


def checkpoint_name(name, prefix):
    if name == "token_embd.weight":
        return prefix + "embed_tokens.weight"
    if name == "output_norm.weight":
        return prefix + "norm.weight"
    _, number, part = name.split(".", 2)
    return f"{prefix}layers.{number}.{LAYER_NAMES[part]}"
