#!/usr/bin/env python3
"""The engine on random models of unusual shapes, types and files, against the equations in numpy (gemma4_reference.py).

    shapes_peer.py --build build/release [--cases N] [--seed S]

Run it with the Python that has gguf. In float32 arithmetic each logit at each position is within 2e-4 of the
reference's (transformers' own paths differ by 2e-5 on the reference model); with 8-bit inputs it is at most three times
as far as the equations with their inputs rounded in the plainest way; one thread and several say the same to the bit. A
choice between experts whose scores float32 can't tell apart would say nothing: such ids are drawn again.
"""
import argparse
import dataclasses
import json
import random
import tempfile
from pathlib import Path

import numpy as np
from gemma4_reference import Layer, Shape, forward
from next_tokens import kl, log_softmax
from peer import Build, Checks
from random_gemma4 import Model

TOLERANCE = 2e-4
NEAREST_CHOICE = 1e-3  # of router scores: float32 moves them by some 1e-5
S, G = True, False


def layers(pattern, sliding=(2, 32), whole=(1, 64)):
    """S, G: (kv heads, head dim) of sliding and of global layers."""
    return [Layer(kind, *(sliding if kind else whole)) for kind in pattern]


BASE = Shape(vocabulary=101, hidden=64, heads=4, dense_ffn=96, expert_ffn=32, experts=8, used=2, window=6,
             layers=layers([S, S, G]))


def shape(**changes):
    return dataclasses.replace(BASE, **changes)


def model(of, types=None, **more):
    return lambda seed: Model(of, seed, types, **more)


WIDE = shape(hidden=256, dense_ffn=256, expert_ffn=256, layers=layers([S, G], (2, 64), (1, 128)))
# What is unusual -> the model, and how its file is written.
CASES = {
    **{f"all {kind}": (model(WIDE, kind), {}) for kind in ("F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q5_0", "Q4_0")},
    "any types": (model(WIDE, own_output=True), {}),
    "experts' gate and up apart": (model(WIDE), {"apart": True}),
    "q, k and v in one": (model(WIDE, "Q6_K"), {"joined": True}),
    "q, k and v in one, values in global layers": (model(WIDE, "Q5_K", values_in_global=True), {"joined": True, "apart": True}),
    "split into files": (model(WIDE), {"split": 7}),
    "all sliding": (model(shape(layers=layers([S, S, S]))), {}),
    "all global": (model(shape(layers=layers([G, G]))), {}),
    "global first": (model(shape(layers=layers([G, S, G, S, S]))), {}),
    "one layer": (model(shape(layers=layers([S]))), {}),
    "values in global layers": (model(BASE, values_in_global=True), {}),
    "one expert": (model(shape(experts=1, used=1)), {}),
    "every expert": (model(shape(experts=5, used=5)), {}),
    "one of many experts": (model(shape(experts=131, used=1)), {}),
    "98 experts": (model(shape(experts=98, used=8)), {}),
    "a window of one": (model(shape(window=1)), {}),
    "a window beyond the text": (model(shape(window=1000)), {}),
    "one head": (model(shape(heads=1, layers=layers([S, G], (1, 16), (1, 48)))), {}),
    "a key head for each head": (model(shape(heads=6, layers=layers([S, G], (6, 16), (3, 24)))), {}),
    "key heads of each layer's own": (model(shape(heads=6, layers=[Layer(S, 1, 16), Layer(S, 3, 16), Layer(G, 2, 32),
                                                                    Layer(G, 6, 32)])), {}),
    "heads of two": (model(shape(layers=layers([S, G], (2, 2), (1, 2)))), {}),
    "global heads smaller than sliding ones": (model(shape(layers=layers([S, G], (2, 64), (2, 16)))), {}),
    "odd widths": (model(shape(vocabulary=97, hidden=45, heads=3, dense_ffn=13, expert_ffn=7, experts=9, used=4,
                               layers=layers([S, G], (3, 10), (1, 14)))), {}),
    "rows of 32, none of 256": (model(shape(hidden=288, dense_ffn=160, expert_ffn=96)), {}),
    "wide experts": (model(shape(expert_ffn=512, dense_ffn=32), "Q4_K"), {}),
    "no softcap": (model(shape(softcap=0.0)), {}),
    "other constants": (model(shape(softcap=5.0, eps=1e-3, base_sliding=500.0, base_global=3e4)), {}),
    "other divisors": (model(BASE, plain_rope=False), {}),
    "a checkpoint": (model(BASE, "BF16"), {"checkpoint": "model.language_model."}),
    "a checkpoint in parts, its text model alone": (model(shape(experts=13, used=3), "F32"), {"checkpoint": "model.", "shards": 4}),
    "a checkpoint in F16": (model(shape(layers=layers([G, S]), softcap=0.0), "F16"), {"checkpoint": "model.language_model.",
                                                                                   "shards": 2}),
}


def random_case(draw):
    heads = draw.choice([1, 2, 3, 4, 6, 8])
    divisors = [n for n in range(1, heads + 1) if heads % n == 0]
    dims = [2, 6, 8, 16, 20, 32, 64]
    pattern = [draw.random() < 0.6 for _ in range(draw.randint(1, 5))]
    experts = draw.choice([1, 2, 3, 7, 16, 24, 33, 64])
    widths = [32, 48, 64, 96, 160, 256, 288]
    sliding, whole = draw.choice(dims), draw.choice(dims)
    of = Shape(vocabulary=draw.randint(40, 300), hidden=draw.choice(widths), heads=heads, dense_ffn=draw.choice(widths),
               expert_ffn=draw.choice(widths), experts=experts, used=draw.randint(1, min(experts, 9)),
               window=draw.choice([1, 2, 3, 8, 31, 32, 100]),
               layers=[Layer(kind, draw.choice(divisors), sliding if kind else whole) for kind in pattern],
               softcap=draw.choice([0.0, 10.0, 30.0]), eps=draw.choice([1e-6, 1e-5]))
    return (model(of, values_in_global=draw.random() < 0.3, own_output=draw.random() < 0.3, plain_rope=draw.random() < 0.5),
            {"apart": draw.random() < 0.5, "joined": draw.random() < 0.5, "split": draw.choice([0, 0, 5])})


def written(of, work, checkpoint=None, shards=1, **how):
    if checkpoint:
        return of.write_checkpoint(work / "checkpoint", checkpoint, shards)
    return of.write_gguf(work / "model.gguf", **how)


def ids_told_apart(of, draw, count):
    for _ in range(50):
        ids = [draw.randrange(of.shape.vocabulary) for _ in range(count)]
        said = forward(of.shape, of.weights, ids)
        if min(said.margins, default=1) > NEAREST_CHOICE:
            return ids, said.logits
        count = max(count * 3 // 4, 5)
    raise SystemExit("no ids whose experts are told apart")


def quantised_matrices(of):
    """Whose inputs the engine may round: all but the attention's."""
    return {name for name, kind in of.kinds.items() if kind.startswith("Q") and ".attn_" not in name}


def check_case(checks, build, name, make, how, draw):
    of = make(draw.randrange(1 << 30))
    ids, expected = ids_told_apart(of, draw, draw.randint(30, 90))
    with tempfile.TemporaryDirectory(prefix="gpqa-shapes-") as work:
        path = written(of, Path(work), **how)

        def said(arithmetic, threads):
            # Exact keys and values: what is judged is the rounding of the inputs.
            done = build.run_gpqa("model", "logits", path, "--all", "--threads", threads, "--arithmetic", arithmetic, "--kv", "f32",
                                  "--tokens", ",".join(map(str, ids)), expect=None)
            if not checks.check(done.returncode == 0, f"{name}: {arithmetic}", done.stderr):
                return None
            return done.stdout

        exact, rounded = said("float32", 1), said("int8", 2)
        if exact is None or rounded is None:
            return
        checks.equal(said("float32", 2) == exact, True, f"{name}: float32 with one thread and with two")
        checks.equal(said("int8", 1) == rounded, True, f"{name}: int8 with one thread and with two")
    exact, rounded = (np.array(json.loads(text)["logits"]) for text in (exact, rounded))
    checks.equal(exact.shape, expected.shape, f"{name}: shape")
    # Without a softcap logits may be large, and float32's steps with them.
    apart = float((np.abs(exact - expected) / np.maximum(1, np.abs(expected) / 30)).max())
    checks.check(apart <= TOLERANCE, f"{name}: float32 logits", f"{apart:.2e} apart")
    spread = float(expected.std())
    checks.check(spread > 0.3, f"{name}: logits that differ", spread)
    # Of the middle token, since rounding sends one now and then to another expert; as far as plain rounding goes.
    middle = lambda logits: float(np.median(kl(log_softmax(expected), log_softmax(logits))))
    ours = middle(rounded)
    plain = middle(forward(of.shape, of.weights, ids, quantised_matrices(of)).logits)
    checks.check(ours <= 3 * plain + 1e-9, f"{name}: 8-bit inputs", f"KL {ours:.2e}, plain rounding's {plain:.2e}")
    print(f"{name}: {len(ids)} tokens, {apart:.1e} apart, 8-bit KL {ours:.1e} ({plain:.1e})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a build folder with gpqa")
    parser.add_argument("--cases", type=int, default=20, help="random ones, after those with a name [20]")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    checks, build, draw = Checks(), Build(args.build), random.Random(args.seed)
    for name, (make, how) in CASES.items():
        check_case(checks, build, name, make, how, draw)
    for number in range(args.cases):
        check_case(checks, build, f"random {number}", *random_case(draw), draw)
    checks.finish()


if __name__ == "__main__":
    main()
