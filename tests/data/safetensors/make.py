#!/usr/bin/env python3
"""Makes mixed.safetensors with the library itself: several dtypes, a scalar, an empty tensor, odd names.

Needs `safetensors` (0.8.0) and numpy: python make.py mixed.safetensors
"""
import sys

import numpy as np
from safetensors.numpy import save_file

save_file(
    {
        "b.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
        "a.half": np.array([1.5, -2], np.float16),
        "scalar": np.array(7.25, np.float32),
        "empty": np.zeros((0, 4), np.float32),
        "flags": np.array([True, False, True]),
        "ids": np.array([[1, -2], [3, 4]], np.int64),
        "bytes": np.array([1, 2, 255], np.uint8),
        'odd "name"\n\u00e9\u20ac': np.array([0.5], np.float64),
    },
    sys.argv[1],
    {"format": "np"},
)
