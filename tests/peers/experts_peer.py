#!/usr/bin/env python3
"""What `gpqa experts drop` makes, read by others: the gguf package, and a real llama.cpp server.

    experts_peer.py --build build/release [--long]

Run it with the Python that has xllamacpp and gguf. The model is the tiny random Gemma 4 of tests/data/gemma4; experts go by
the map of the reference data and by random ones that leave other numbers of them.

Bytes. The gguf package reads both files; every tensor of experts is the original's, indexed by numpy with the kept ids,
every other one is the same, and so is every key but the count. The file says itself what was dropped.

Answers. The server loads the pruned file, says so many experts, and its next-token distributions are compared with those of
gpqa's engine on the same file, teacher-forced, the whole vocabulary. The two round in different places, so they differ; how
much is too much is told by what the drop itself moves: mean KL(server, gpqa) at most a tenth of mean KL(server, gpqa on the
original). A drop that took other experts than it says would move as much. And a greedy text of the server's goes on as gpqa
would, in three tokens of four at least.
"""
import argparse
import json
import random
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import gguf
import numpy as np
from engine_peer import SERVER, Server
from next_tokens import agreement, kl, log_softmax, spread
from peer import DATA, Build, Checks, serving

GEMMA4 = DATA / "gemma4"
KEEP_LISTS = DATA / "experts" / "tiny_keep_lists.json"
LAYERS, EXPERTS = 6, 16
OF_EXPERTS = ("ffn_gate_up_exps.weight", "ffn_down_exps.weight", "ffn_gate_inp.weight", "ffn_down_exps.scale")
RECORD = "gpqa.expert_drop."
GREEDY_TOKENS = 48
END_OF_GENERATION = (1, 50, 106)


def random_map(draw, kept):
    return {str(layer): sorted(draw.sample(range(EXPERTS), EXPERTS - kept)) for layer in range(LAYERS)}


class Tester:
    def __init__(self, checks, build, work):
        self.checks, self.build, self.work = checks, build, work

    def drop(self, kind, name, drops):
        """The pruned file, proved by gpqa itself."""
        source = GEMMA4 / f"tiny-{kind}.gguf"
        map_file, out = self.work / f"{name}.json", self.work / f"{name}-{kind}.gguf"
        map_file.write_text(json.dumps(drops))
        self.build.run_gpqa("experts", "drop", source, "--map", map_file, out)
        self.build.run_gpqa("experts", "verify", source, out)
        return source, out

    def logits(self, model, ids):
        done = self.build.run_gpqa("model", "logits", model, "--all", "--threads", 1, "--no-check", "--tokens",
                                   ",".join(map(str, ids)))
        return np.array(json.loads(done.stdout)["logits"])


def compare_bytes(t, name, source, pruned, drops):
    before, after = gguf.GGUFReader(source), gguf.GGUFReader(pruned)
    kept = EXPERTS - len(drops["0"])
    t.checks.equal(after.fields["gemma4.expert_count"].contents(), kept, f"{name}: expert_count")
    t.checks.equal([x.name for x in after.tensors], [x.name for x in before.tensors], f"{name}: tensors and their order")
    for old, new in zip(before.tensors, after.tensors):
        layer = old.name.split(".")[1]
        data = old.data
        if old.name.endswith(OF_EXPERTS):
            data = data[[expert for expert in range(EXPERTS) if expert not in drops[layer]]]
        t.checks.check(new.tensor_type == old.tensor_type and np.array_equal(new.data, data), f"{name}: {old.name}")
    for key, field in before.fields.items():
        if not key.startswith("GGUF.") and key != "gemma4.expert_count":
            t.checks.equal(after.fields[key].contents(), field.contents(), f"{name}: key {key}")
    added = [key for key in after.fields if key not in before.fields]
    t.checks.check(added and all(key.startswith(RECORD) for key in added), f"{name}: keys that were added", added)
    record = json.loads(after.fields[RECORD + "record"].contents())
    t.checks.equal(record["drop"], drops, f"{name}: what the file says was dropped")


def compare_answers(t, name, source, pruned, positions):
    tokens = gguf.GGUFReader(pruned).fields["tokenizer.ggml.tokens"].contents()
    shown = tokens.index("a")
    sequences = [json.loads((GEMMA4 / "golden" / f"hf.{which}.json").read_text())["ids"] for which in ("chat", "long")]
    with serving([sys.executable, SERVER, "--model", pruned, "--threads", 1], t.work / "server.log") as url:
        server = Server(url)
        theirs = np.array([server.logprobs(ids[:n], len(tokens), shown)
                           for ids in sequences for n in spread(len(ids), positions)])
        prompt = server.tokenize("The answer is")
        text = server.post("/completion", {"prompt": prompt, "n_predict": GREEDY_TOKENS, "temperature": 0,
                                           "dry_multiplier": 0, "return_tokens": True})["tokens"]
    rows = {model: np.concatenate([log_softmax(t.logits(model, ids))[[n - 1 for n in spread(len(ids), positions)]]
                                   for ids in sequences]) for model in (pruned, source)}
    near, far = float(kl(theirs, rows[pruned]).mean()), float(kl(theirs, rows[source]).mean())
    t.checks.check(near <= far / 10, f"{name}: the server's distributions are gpqa's", f"{near:.2e}, original {far:.2e}")
    agreed, agreed_original = agreement(theirs, rows[pruned]), agreement(theirs, rows[source])
    # A random network's best tokens are often near ties; how near they are is engine_peer.py's matter.
    t.checks.check(agreed >= max(0.8, agreed_original + 0.2), f"{name}: best token the same", f"{agreed}, {agreed_original}")
    ours = t.logits(pruned, prompt + text[:-1])[len(prompt) - 1:]
    same = int(sum(row.argmax() == token for row, token in zip(ours, text)))
    t.checks.check(len(text) == GREEDY_TOKENS or text[-1] in END_OF_GENERATION, f"{name}: a greedy answer", text)
    t.checks.check(same >= 0.75 * len(text), f"{name}: greedy tokens are gpqa's", f"{same} of {len(text)}")
    print(f"{name}: {len(theirs)} positions: mean KL {near:.2e} (to the original {far:.2e}), best token the same "
          f"{agreed:.3f} ({agreed_original:.3f}), greedy {same} of {len(text)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a build folder with gpqa")
    parser.add_argument("--long", action="store_true", help="more maps, types and positions")
    args = parser.parse_args()
    checks, build = Checks(), Build(args.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was made is deleted then too
    draw = random.Random(98)
    maps = {"reference": json.loads(KEEP_LISTS.read_text())["drop"], "five stay": random_map(draw, 5),
            "all but one": random_map(draw, EXPERTS - 1)}
    kinds = ("q8_0", "q4_k_m", "bf16", "q6_k") if args.long else ("q8_0", "q4_k_m")
    with tempfile.TemporaryDirectory(prefix="gpqa-experts-") as work:
        t = Tester(checks, build, Path(work))
        for kind in kinds:
            for number, (name, drops) in enumerate(maps.items()):
                source, pruned = t.drop(kind, name.replace(" ", "-"), drops)
                compare_bytes(t, f"{kind}, {name}", source, pruned, drops)
                if number == 0 or args.long or kind == "q4_k_m" and name == "five stay":
                    compare_answers(t, f"{kind}, {name}", source, pruned, 40 if args.long else 16)
    checks.finish()


if __name__ == "__main__":
    main()
