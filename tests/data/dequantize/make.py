#!/usr/bin/env python3
"""Makes blocks.gguf: random blocks of each type, and the float32 that the `gguf` package reads from them.

For each TYPE a tensor TYPE [elements, rows] and a tensor TYPE.f32 of the same shape, its values to the bit.
Needs `gguf` (0.19.0) and numpy: python make.py blocks.gguf
"""
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

ROWS, ROW = 6, 512
random = np.random.default_rng(20260401)


def halves(count):
    """Scales as they can be: normal, subnormal, zero, negative, the largest."""
    plain = random.normal(0, 0.05, count).astype(np.float16)
    odd = np.array([0, -0.0, 6e-8, -6e-8, 6.1e-5, 65504, -65504, 1], np.float16)
    return np.where(random.random(count) < 0.2, random.choice(odd, count), plain).astype(np.float16)


# Where a block's float16 numbers are; all other bytes are random.
SCALES = {Type.Q4_0: [0], Type.Q5_0: [0], Type.Q8_0: [0], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}

writer = gguf.GGUFWriter(sys.argv[1], "blocks")
for kind in (Type.F32, Type.F16, Type.BF16, *SCALES):
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    if kind == Type.F32:
        raw = random.normal(0, 1, (ROWS, ROW)).astype(np.float32).view(np.uint8)
    elif kind == Type.F16:
        raw = halves(ROWS * ROW).reshape(ROWS, ROW).view(np.uint8)
    elif kind == Type.BF16:
        raw = (random.normal(0, 1, (ROWS, ROW)).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    else:
        blocks = random.integers(0, 256, (ROWS * ROW // elements, size), np.uint8)
        for at in SCALES[kind]:
            blocks[:, at : at + 2] = halves(len(blocks)).view(np.uint8).reshape(-1, 2)
        raw = blocks.reshape(ROWS, -1)
    values = quants.dequantize(raw, kind).astype(np.float32).reshape(ROWS, ROW)
    assert np.isfinite(values).all()
    writer.add_tensor(kind.name, raw, raw_dtype=kind)
    writer.add_tensor(kind.name + ".f32", values)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
