#!/usr/bin/env python3
"""Writes a contribution map of real size in the author's schema (240 MB): random sums, 704 neuron sums an expert.

make_contribution_map.py OUT [--questions N]: N questions without neuron sums, as per_question_teacher_force.json has them.
"""
import argparse
import json
import random

LAYERS, EXPERTS, NEURONS = 30, 128, 704
CATEGORIES = ("math", "logic", "code", "science", "creative")


def expert(rng, expert_id, prompts, neurons):
    tokens = int(rng.paretovariate(1.2) * 10) % 2000
    hit = min(prompts, tokens)
    sums = {
        "id": expert_id,
        "wnorm": rng.uniform(0, 0.4) * tokens,
        "rnorm": rng.uniform(1, 3) * tokens,
        "wsum": rng.uniform(0, 0.3) * hit,
        "tc": tokens,
        "cc": hit,
    }
    if neurons:
        # Doubles of 17 digits, as float32 sums come out of tolist().
        sums["neuron_act"] = neurons[expert_id * 7 % (len(neurons) - NEURONS):][:NEURONS]
    return sums


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--questions", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(1)
    pool = [rng.uniform(0, 1000) for _ in range(4 * NEURONS)]
    metadata = {"model": "synthetic", "num_layers": LAYERS, "num_experts": EXPERTS, "intermediate_size": NEURONS,
                "hidden_size": 2816, "max_new_tokens": 128, "categories": {name: 8 for name in CATEGORIES}, "note": ""}
    with open(args.out, "w", encoding="ascii") as out:
        if args.questions:
            metadata.pop("categories")
        out.write('{"metadata": ' + json.dumps(metadata))
        out.write(', "questions": {' if args.questions else ', "categories": {')
        names = [f"q{i}" for i in range(args.questions)] or CATEGORIES
        for i, name in enumerate(names):
            out.write((", " if i else "") + json.dumps(name) + ": {")
            for layer in range(LAYERS):
                experts = [expert(rng, e, 1 if args.questions else 8, None if args.questions else pool) for e in range(EXPERTS)]
                out.write((", " if layer else "") + f'"{layer}": ' + json.dumps(experts))
            out.write("}")
        out.write("}}")


if __name__ == "__main__":
    main()
