#!/usr/bin/env python3
"""The engine inside gpqa against a real llama.cpp server: distributions, greedy texts, sampled tokens, prompts.

    engine_peer.py --build build/release [--long]

Run it with the Python that has xllamacpp and gguf. The models are the tiny random Gemma 4 of tests/data/gemma4, and for
thoughts the one that talking_model.py makes of it.

Distributions. Teacher-forced on the golden sequences and random ones, the whole vocabulary at many positions. llama.cpp is
asked in several of its own settings; how far they are from each other is what a reader of llama.cpp's results accepts
unasked. gpqa is to be no farther from it than that: mean KL(server's defaults, gpqa) at most the largest mean KL between
two settings, and the best token the same at least as often. Both within two standard errors of the difference: rounding
now and then sends a token to other experts, and such positions make up much of a mean.
 - The settings: ubatch 1, no flash attention, F32 keys and values, and Q8_0 ones, which are the farthest from the rest.
   Without these the settings are about as far from each other as from gpqa, and the bound would be a matter of chance: all
   round the inputs of weights in the same way (to 8 bits, or to BF16), so that much of their error is common to them, and
   gpqa has none of it. The figures without them are printed.
 - Exact arithmetic on the file's weights (`--arithmetic float32`, held to transformers' by the golden tests of the engine)
   tells whose error it is: mean KL(exact, gpqa) at most mean KL(exact, server), on average over the settings that keep keys
   and values in 16 bits or more.
 - Another quantisation of the same weights must be farther, by more than two standard errors, or the distances would tell
   nothing.

Greedy. gpqa's 64 tokens are compared up to the first that differs, and on the server's text every token with the best one
that gpqa sees there. One may differ only where gpqa sees the two nearer to each other than llama.cpp's own settings moved
such a pair in the distributions above, and they agree as often as these do.

Sampling. The server draws with the card's settings and tells the likeliest tokens of each step; replay-sampler gives these
to gpqa's chain, with the same seed, and must get the server's tokens, every one. The probabilities come as floats with all
their digits, but as logarithms of a rounded quotient: a draw that falls within that rounding of a border can go the other
way, and counts only if a change of the logprobs below their rounding (no more than 1e-5) gives the server's token.
"""
import argparse
import http.client
import json
import random
import signal
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import gguf
import numpy as np
import talking_model
from next_tokens import agreement, kl, log_softmax, mean_kl, most_moved_margin, spread, standard_errors
from peer import DATA, SYNTHETIC_CSV, Build, Checks, read_json_lines, serving

SERVER = Path(__file__).resolve().parent / "llama_server.py"
GEMMA4 = DATA / "gemma4"
TYPES = ("bf16", "q8_0", "q6_k", "q4_k_m")
# What a file's distributions must not be taken for: the next coarser quantisation that differs clearly.
ANOTHER = {"bf16": "q6_k", "q8_0": "q6_k", "q6_k": "q4_k_m", "q4_k_m": "q6_k"}
SETTINGS = {
    "defaults": [],
    "ubatch 1": ["--ubatch", 1],
    "no flash attention": ["--flash-attn", "off"],
    "F32 KV": ["--kv", "f32", "--flash-attn", "off"],
    "Q8_0 KV": ["--kv", "q8_0", "--flash-attn", "on"],
}
FINE = [name for name in SETTINGS if name != "Q8_0 KV"]
GREEDY_TEXTS = ("The answer is", "Each layer keeps the keys", "What is 2+2?", "for (int i = 0; i < n; i++) {",
                "A new token only costs one pass.", "\n\n* one\n* two\n")
GREEDY_TOKENS = 64
BUDGET = 16
CARD = {"temperature": 1.0, "top_k": 64, "top_p": 0.95, "min_p": 0.05, "dry_multiplier": 0.5, "dry_base": 1.75,
        "dry_allowed_length": 2, "dry_penalty_last_n": 64, "dry_sequence_breakers": ["\n", ":", "\"", "*"],
        "reasoning_budget_tokens": BUDGET}
# The 64 that top-k keeps are among the likeliest 64 + those DRY lowers (64 at most) + those never drawn (134).
LISTED = 320


def model_file(kind):
    return GEMMA4 / f"tiny-{kind}.gguf"


class Server:
    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc, timeout=120)

    def post(self, path, body):
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            sys.exit(f"POST {path}: {response.status} {answer}")
        return answer

    def tokenize(self, text):
        return self.post("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]

    def logprobs(self, ids, vocabulary, shown):
        """Of the token after `ids`, before any sampler. `shown`: a token with a whole character; after another
        one the server tells no probabilities."""
        answer = self.post("/completion", {"prompt": ids, "n_predict": 1, "n_probs": vocabulary, "temperature": 0,
                                           "logit_bias": [[shown, 1000]], "cache_prompt": True})
        if answer["tokens_evaluated"] != len(ids):
            sys.exit(f"the server read {answer['tokens_evaluated']} tokens of {len(ids)}")
        row = np.full(vocabulary, np.nan)
        for entry in answer["completion_probabilities"][0]["top_logprobs"]:
            row[entry["id"]] = entry["logprob"]
        assert not np.isnan(row).any(), "the server left out some of the vocabulary"
        return row


class Tester:
    def __init__(self, checks, build, work, long):
        self.checks, self.build, self.work, self.long = checks, build, work, long
        self.replay_sampler = build.folder / "tests" / "support" / "replay-sampler"
        if not self.replay_sampler.exists():
            sys.exit(f"{self.replay_sampler} isn't there: build it first")
        fields = gguf.GGUFReader(model_file("bf16")).fields
        self.texts = fields["tokenizer.ggml.tokens"].contents()
        self.ids = {text: number for number, text in enumerate(self.texts)}
        done = build.run_gpqa("prompts", "--dataset", SYNTHETIC_CSV)
        self.questions = [json.loads(line)["prompt"] for line in done.stdout.split("\n") if line]

    def serve(self, model, flags=()):
        # One thread: two that wait for each other on a busy machine are a hundred times slower.
        return serving([sys.executable, SERVER, "--model", model, "--threads", 1, *flags], self.work / "server.log")

    def logits(self, model, ids, arithmetic):
        """[position, vocabulary]"""
        done = self.build.run_gpqa("model", "logits", model, "--all", "--threads", 1, "--no-check", "--arithmetic",
                                   arithmetic, "--tokens", ",".join(map(str, ids)))
        return np.array(json.loads(done.stdout)["logits"])


def teacher_forced_sequences(t):
    sequences = [json.loads((GEMMA4 / "golden" / f"hf.{name}.json").read_text())["ids"] for name in ("long", "chat", "short")]
    draw = random.Random(7)
    bos = t.ids["<bos>"]
    return sequences + [[bos] + [draw.randrange(len(t.texts)) for _ in range(127)] for _ in range(6 if t.long else 3)]


def compare_distributions(t, kind, sequences, ours):
    """Returns how far llama.cpp's settings move the margin between two tokens, and how often they agree on the best."""
    count = 96 if t.long else 48
    theirs = {}
    for name, flags in SETTINGS.items():
        with t.serve(model_file(kind), flags) as url:
            server = Server(url)
            theirs[name] = np.array([server.logprobs(ids[:n], len(t.texts), t.ids["a"])
                                     for ids in sequences for n in spread(len(ids), count)])
    gpqa = {(other, arithmetic): np.concatenate([rows[[n - 1 for n in spread(len(rows), count)]] for rows in of_sequences])
            for (other, arithmetic), of_sequences in ours.items()}
    int8, exact = gpqa[kind, "int8"], gpqa[kind, "float32"]

    def widest(names):
        return max((kl(theirs[a], theirs[b]) for a in names for b in names), key=np.mean)

    served = theirs["defaults"]
    between, between_fine = widest(SETTINGS), widest(FINE)
    most = between.mean()

    def farther(name, rows):
        distances = kl(served, rows)
        errors = standard_errors(distances - between)
        return errors, f"{name}: {distances.mean():.2e}, between settings {most:.2e}: {errors:.1f} standard errors above"

    for name, rows in (("gpqa", int8), ("gpqa in float32", exact)):
        errors, said = farther(name, rows)
        t.checks.check(errors <= 2, f"{kind}: mean KL from the server", said)
    least_agreement = min(agreement(theirs[a], theirs[b]) for a in SETTINGS for b in SETTINGS)
    two_errors = 2 * (least_agreement * (1 - least_agreement) / len(served)) ** 0.5
    agreed = agreement(served, int8)
    t.checks.check(agreed >= least_agreement - two_errors, f"{kind}: best token the same",
                   f"{agreed:.3f}, between settings {least_agreement:.3f} at least")
    our_error = mean_kl(exact, int8)
    their_errors = [mean_kl(exact, theirs[name]) for name in FINE]
    t.checks.check(our_error <= np.mean(their_errors), f"{kind}: mean KL(exact, gpqa)",
                   f"{our_error:.2e}, of the server's settings {their_errors}")
    other = gpqa[ANOTHER[kind], "int8"]
    errors, said = farther(ANOTHER[kind], other)
    t.checks.check(errors > 2, f"{kind}: another quantisation is told from it", said)
    print(f"{kind}: {len(served)} positions, mean KL: server to gpqa {mean_kl(served, int8):.2e} (float32 "
          f"{mean_kl(served, exact):.2e}), between settings at most {most:.2e} (16 bits {between_fine.mean():.2e}); from "
          f"exact arithmetic: gpqa {our_error:.2e}, server {min(their_errors):.2e} to {max(their_errors):.2e}; best token the "
          f"same: {agreed:.3f}, between settings {least_agreement:.3f} at least; {ANOTHER[kind]} instead: "
          f"{mean_kl(served, other):.2e} ({errors:.0f} standard errors farther)", flush=True)
    return most_moved_margin([theirs[name] for name in FINE]), least_agreement


def distributions(t):
    sequences = teacher_forced_sequences(t)
    ours = {(kind, arithmetic): [log_softmax(t.logits(model_file(kind), ids, arithmetic)) for ids in sequences]
            for kind in TYPES for arithmetic in ("int8", "float32")}
    return {kind: compare_distributions(t, kind, sequences, ours) for kind in TYPES}


def greedy(t, moved_margin, least_agreement):
    """In BF16."""
    model, same, near, agreed, tellable = model_file("bf16"), 0, [], 0, 0
    with t.serve(model) as url:
        server = Server(url)
        for text in GREEDY_TEXTS:
            prompt = server.tokenize(text)
            theirs = server.post("/completion", {"prompt": prompt, "n_predict": GREEDY_TOKENS, "temperature": 0,
                                                 "dry_multiplier": 0, "return_tokens": True})["tokens"]
            done = t.build.run_gpqa("model", "generate", model, "--raw", "--prompt", text, "--greedy", "--ids", "--threads", 1,
                                    "--no-check", "--max-tokens", GREEDY_TOKENS)
            ours = [int(word) for word in done.stdout.replace(",", " ").strip(" []\n").split()]
            rows = t.logits(model, prompt + theirs[:-1], "int8")[len(prompt) - 1:]
            differing = [i for i, token in enumerate(theirs) if rows[i].argmax() != token]
            for i in differing:
                margin = float(rows[i].max() - rows[i][theirs[i]])
                near.append(margin)
                t.checks.check(margin <= moved_margin, f"greedy {text!r}, token {i}: near enough to be taken for another",
                               f"{margin:.4f}, between settings {moved_margin:.4f}")
            agreed += len(theirs) - len(differing)
            tellable += int((np.diff(np.sort(rows, axis=-1)[:, -2:]) > moved_margin).sum())
            until = differing[0] if differing else len(theirs)
            t.checks.equal(ours[:until], theirs[:until], f"greedy {text!r}: the tokens up to the first near tie")
            same += until
    total = GREEDY_TOKENS * len(GREEDY_TEXTS)
    two_errors = 2 * (least_agreement * (1 - least_agreement) / total) ** 0.5
    t.checks.check(agreed >= (least_agreement - two_errors) * total, "greedy: tokens the same", f"{agreed} of {total}")
    print(f"greedy: {same} tokens the same before a first difference, {agreed} of {total} on the server's text; the others "
          f"within {max(near, default=0):.4f}, settings move a margin by up to {moved_margin:.4f} ({tellable} of the "
          "tokens lead by more)", flush=True)


def ask(server, user, seed, sampling, never, max_tokens):
    """An answer of the server's as replay-sampler reads it."""
    answer = server.post("/v1/chat/completions", {
        **sampling, "messages": [{"role": "user", "content": user}], "max_tokens": max_tokens, "seed": seed, "logprobs": True,
        "top_logprobs": LISTED, "logit_bias": [[token, False] for token in never],
        "chat_template_kwargs": {"enable_thinking": True}})
    steps = answer["choices"][0]["logprobs"]["content"]
    assert len(steps) == answer["usage"]["completion_tokens"], "the server tells no probabilities of some tokens"
    return {"user": user, "seed": seed, "sampling": sampling, "never": never, "tokens": [step["id"] for step in steps],
            "steps": [[[entry["id"], entry["logprob"]] for entry in step["top_logprobs"]] for step in steps]}


def replay(t, model, answers, change=lambda answer: answer):
    lines = "".join(json.dumps(change(answer)) + "\n" for answer in answers)
    done = subprocess.run([t.replay_sampler, model], input=lines, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"replay-sampler: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def first_draw(seed):
    """The first double of libstdc++'s uniform_real_distribution over mt19937(seed), by numpy's."""
    low, high = np.random.RandomState(seed).randint(0, 2**32, 2, dtype=np.uint32)
    return (float(low) + float(high) * 2.0**32) / 2.0**64


def borders(t):
    """A draw on the very border between two tokens may go either way, one at a distance may not."""
    seed = next(seed for seed in range(100) if 0.6 < first_draw(seed) < 0.9)

    def drawn(distance, token):
        p = first_draw(seed) + distance
        answer = {"user": "", "seed": seed, "never": [], "sampling": {**CARD, "top_k": 2, "top_p": 1.0, "min_p": 0.0},
                  "steps": [[[7, float(np.log(p))], [9, float(np.log(1 - p))]]], "tokens": [token]}
        return replay(t, model_file("q4_k_m"), [answer])[0]

    on_border = [drawn(0, token) for token in (7, 9)]
    t.checks.equal([ours["tokens"] for ours in on_border], [[7], [9]], "border: either token")
    t.checks.equal(sorted(ours["nudged"] for ours in on_border), [[], [0]], "border: one of them within rounding")
    for distance, token, other in ((1e-4, 7, 9), (-1e-4, 9, 7)):
        t.checks.equal(drawn(distance, token), {**on_border[0], "tokens": [token], "nudged": []}, f"border {distance}: drawn")
        t.checks.equal(drawn(distance, other)["tokens"], [token], f"border {distance}: the other token isn't taken for it")


def with_sampling(**fields):
    return lambda answer: {**answer, "sampling": {**answer["sampling"], **fields}}


def replay_answers(t, name, model, answers, prompts, controls):
    drawn = replay(t, model, answers)
    for number, (answer, ours) in enumerate(zip(answers, drawn, strict=True)):
        t.checks.equal(ours["prompt"], prompts[number], f"{name} {number}: prompt")
        t.checks.equal(ours["tokens"], answer["tokens"], f"{name} {number}: seed {answer['seed']}: tokens")
    tokens, nudged = sum(len(answer["tokens"]) for answer in answers), sum(len(ours["nudged"]) for ours in drawn)
    # A draw is that near to a border once in tens of thousands.
    t.checks.check(nudged <= 2, f"{name}: tokens within the probabilities' rounding", nudged)
    differing = []
    for what, (change, least) in controls.items():
        count = sum(ours["tokens"] != answer["tokens"] for answer, ours in zip(answers, replay(t, model, answers, change)))
        t.checks.check(count >= least, f"{name}: {what} is noticed", f"{count} of {len(answers)} answers")
        differing.append(f"{what} {count}")
    print(f"{name}: {len(answers)} answers, {tokens} tokens drawn again, {nudged} within rounding; answers that change: "
          + ", ".join(differing), flush=True)


def sampled_tokens(t, count):
    # Bytes that begin or go on with a character: the server tells no probabilities until it is whole. And tags, which a random
    # model puts where the server can't parse them, and then answers with an error.
    unshown = [f"<0x{byte:02X}>" for byte in range(0x80, 0x100)]
    tags = ["<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|turn>", "<|tool_response>"]
    never = [t.ids[text] for text in unshown + tags]

    def other_seed(answer):
        return {**answer, "seed": answer["seed"] + 1}

    def served(model, never, max_tokens, messages):
        with t.serve(model) as url:
            server = Server(url)
            questions = t.questions[:count]
            prompts = [server.tokenize(server.post("/apply-template", {"messages": [{"role": "user", "content": question}]})
                                       ["prompt"]) for question in questions]
            return [ask(server, question, 1000 + number, {**CARD, "reasoning_budget_message": messages[number % len(messages)]},
                        never, max_tokens) for number, question in enumerate(questions)], prompts

    model = model_file("q4_k_m")
    answers, prompts = served(model, never, 150, [""])
    replay_answers(t, "random answers", model, answers, prompts, 
                   {"another seed": (other_seed, count), "no DRY": (with_sampling(dry_multiplier=0.0), count // 4)})

    model = talking_model.write(t.work / "talking.gguf")
    answers, prompts = served(model, [], 150, ["", " with only"])
    replay_answers(t, "thinking answers", model, answers, prompts,
                   {"another seed": (other_seed, count // 2),
                    "no budget": (with_sampling(reasoning_budget_tokens=-1), 1),
                    "a budget one longer": (with_sampling(reasoning_budget_tokens=BUDGET + 1), 1)})


def prompt_tokens(t, count):
    """Of chats as a run asks them."""
    model = model_file("q4_k_m")
    t.build.run_gpqa("run", "--dataset", SYNTHETIC_CSV, "--model", model, "--name", "tiny", "--profile", "card-b11434", "--set",
                     "max_tokens=1", "--threads", 1, "--slots", 1, "--limit", count, "--out", t.work / "runs")
    folder = t.work / "runs" / "tiny"
    trials = {trial["doc_id"]: trial for trial in read_json_lines(folder / "trials.jsonl")}
    transcripts = read_json_lines(folder / "transcripts.jsonl")
    t.checks.equal(len(transcripts), count, "prompts: questions")
    with t.serve(model) as url:
        server = Server(url)
        rendered = []
        for transcript in transcripts:
            chat = {"messages": [{"role": "user", "content": transcript["prompt"]}]}
            place = f"prompts: doc {transcript['doc_id']}"
            t.checks.equal(trials[transcript["doc_id"]]["tokens"]["prompt"],
                           server.post("/v1/chat/completions/input_tokens", chat)["input_tokens"], f"{place}: tokens counted")
            rendered.append(server.post("/apply-template", chat)["prompt"])
        lines = "".join(json.dumps(text) + "\n" for text in rendered)
        done = subprocess.run([t.build.gpqa, "model", "tokenize", model, "--json", "--add-bos"], input=lines,
                              capture_output=True, text=True, check=True)
        for number, (text, ids) in enumerate(zip(rendered, map(json.loads, done.stdout.splitlines()), strict=True)):
            t.checks.equal(ids, server.tokenize(text), f"prompts: {number}: ids")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a build folder with gpqa and replay-sampler")
    parser.add_argument("--long", action="store_true", help="more positions and answers")
    args = parser.parse_args()
    checks, build = Checks(), Build(args.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was made is deleted then too
    with tempfile.TemporaryDirectory(prefix="gpqa-engine-") as work:
        t = Tester(checks, build, Path(work), args.long)
        prompt_tokens(t, 30)
        borders(t)
        sampled_tokens(t, 60 if args.long else 20)
        greedy(t, *distributions(t)["bf16"])
    checks.finish()


if __name__ == "__main__":
    main()
