#!/usr/bin/env python3
"""Copies a GGUF and zeroes the FFNs of some layers in place: a crude pruned variant of the same size.

    zero_layers.py IN.gguf OUT.gguf --layers 7-10

A block of zero bytes is a block of zeros in every format of ggml: its scale is zero.
"""
import argparse
import re
import shutil

import gguf


def layer_range(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--layers", type=layer_range, required=True, metavar="FIRST-LAST")
    args = parser.parse_args()
    tensors = gguf.GGUFReader(args.source).tensors
    count = 1 + max(int(m[1]) for t in tensors if (m := re.match(r"blk\.(\d+)\.", t.name)))
    if args.layers[-1] >= count:
        parser.error(f"{args.source} has the layers 0-{count - 1}")
    shutil.copyfile(args.source, args.out)
    zeroed = 0
    with open(args.out, "r+b") as out:
        for tensor in tensors:
            match = re.fullmatch(r"blk\.(\d+)\.ffn_(gate|up|down)\.weight", tensor.name)
            if match and int(match[1]) in args.layers:
                out.seek(int(tensor.data_offset))
                out.write(bytes(int(tensor.n_bytes)))
                zeroed += 1
    print(f"{args.out}: {zeroed} tensors of the layers {args.layers[0]}-{args.layers[-1]} of {count} are zero")


if __name__ == "__main__":
    main()
