#!/usr/bin/env python3
"""gpqa against a real llama.cpp server that thinks: audit, reasoning split, token counts, outcomes, seeds, what it sampled with.

    real_server_peer.py --build build/release [--keep DIR] [--long]

Run it with the Python that has xllamacpp and gguf. The models are the random Gemma 4 MoE of tests/data and two that
talking_model.py makes of it. What gpqa streamed is compared with what the same server answers to the same request and
seed without streaming, where it also shows the raw tokens.
"""
import argparse
import json
import struct
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import gguf
import talking_model
from peer import DATA, SYNTHETIC_CSV, Build, Checks, read_json_lines, serving, write_plan

SERVER = Path(__file__).resolve().parent / "llama_server.py"
TINY = DATA / "gemma4" / "tiny-q4_k_m.gguf"
BUDGET = 16
NOT_SENT = ("stop", "max_tokens", "thinking", "seed_rule", "constant_seed")


def post(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0] if isinstance(value, float) else value


class Run:
    """A run's folder, read as a stranger would."""

    def __init__(self, folder):
        self.manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        self.sampling = self.manifest["sampling"]
        self.runner = self.manifest["runner"]
        self.trials = sorted(read_json_lines(folder / "trials.jsonl"), key=lambda t: (t["doc_id"], t["repeat"]))
        self.transcripts = {(t["doc_id"], t["repeat"]): t for t in read_json_lines(folder / "transcripts.jsonl")}

    def transcript(self, trial):
        return self.transcripts[trial["doc_id"], trial["repeat"]]

    def texts(self):
        return [(t["reasoning"], t["content"]) for t in (self.transcript(trial) for trial in self.trials)]

    def asked(self, trial):
        """The fields of this trial's request, less the messages."""
        fields = {key: value for key, value in self.sampling.items() if key not in NOT_SENT}
        return fields | {"stop": self.sampling["stop"], "max_tokens": self.sampling["max_tokens"], "seed": trial["seed"]}


class Tester:
    def __init__(self, checks, build, work):
        self.checks, self.build, self.work = checks, build, work
        self.runs = 0

    def serve(self, model):
        # One thread: two that wait for each other on a busy machine are a hundred times slower.
        return serving([sys.executable, SERVER, "--model", model, "--threads", 1], self.work / "server.log")

    def run(self, url, limit, sampling, flags=(), model=None, expect=(0,)):
        """Returns the run, or what gpqa said if it ended with another code than 0."""
        self.runs += 1
        out = self.work / f"run{self.runs}"
        words = "concurrency = 1" + (f", model = {json.dumps(str(model))}" if model else "")
        plan = write_plan(self.work / f"plan{self.runs}.toml", SYNTHETIC_CSV, "card-b11434", [("v", url, words)],
                          {"reasoning_budget_tokens": BUDGET, **sampling})
        done = self.build.run_gpqa("run", "--plan", plan, "--out", out, "--limit", limit, *flags, expect=None)
        said = done.stdout + done.stderr
        if not self.checks.check(done.returncode in expect, f"exit code of run {self.runs} is one of {expect}",
                                 f"{done.returncode}: {said}"):
            return None
        return Run(out / "v") if done.returncode == 0 else said

    def expected_outcome(self, answer, thought, sampling):
        """How an answer ended by its own tokens; several where the client can't tell."""
        choice, message = answer["choices"][0], answer["choices"][0]["message"]
        if choice["finish_reason"] == "stop":
            return {"stop"}
        if not message["content"] or message["content"].startswith("<|channel>"):
            return {"cut_in_reasoning"}
        if thought == sampling["reasoning_budget_tokens"]:
            return {"rumination"}
        # The stream doesn't tell tags from thought: with them, a thought this long may be one of the whole budget.
        near = thought is not None and thought + self.tag_tokens >= sampling["reasoning_budget_tokens"]
        return {"rumination", "cut_in_answer"} if near else {"cut_in_answer"}

    def compare_with_whole_answers(self, url, run, name):
        """The same requests without streaming; there the server shows its tokens and its raw text."""
        opening = post(url, "/tokenize", {"content": "<|channel>thought", "parse_special": True})["tokens"]
        closing = post(url, "/tokenize", {"content": "<channel|>", "parse_special": True})["tokens"]
        self.tag_tokens = len(opening) + len(closing)
        seen = set()
        for trial in run.trials:
            transcript, place = run.transcript(trial), f"{name}: doc {trial['doc_id']} repeat {trial['repeat']}"
            thinking = run.sampling["thinking"] == "required"
            answer = post(url, "/v1/chat/completions", {
                **run.asked(trial), "messages": [{"role": "user", "content": transcript["prompt"]}], "verbose": True,
                "return_tokens": True, "chat_template_kwargs": {"enable_thinking": thinking}})
            message, tokens = answer["choices"][0]["message"], answer["__verbose"]["tokens"]
            checks = self.checks
            checks.equal(transcript["reasoning"], message.get("reasoning_content", ""), f"{place}: reasoning")
            # A server that shows only tags has no answer yet; a stream doesn't even show these.
            content = "" if message["content"].startswith("<|channel>") else message["content"]
            checks.equal(transcript["content"], content, f"{place}: content")
            checks.equal(trial["tokens"]["prompt"], answer["usage"]["prompt_tokens"], f"{place}: prompt tokens")
            checks.equal(trial["tokens"]["completion"], len(tokens), f"{place}: completion tokens")
            thought = None
            if tokens[:len(opening)] == opening:
                end = tokens.index(closing[0]) if closing[0] in tokens else len(tokens)
                thought = end - len(opening)
                before_answer = min(end + 1, len(tokens))
                checks.equal(trial["tokens"]["reasoning"], before_answer, f"{place}: tokens before the answer")
                checks.equal(trial["tokens"]["content"], len(tokens) - before_answer, f"{place}: tokens of the answer")
                checks.check(thought <= BUDGET, f"{place}: the thought keeps to its budget", thought)
            checks.equal(trial["finish_reason"], answer["choices"][0]["finish_reason"], f"{place}: finish reason")
            expected = self.expected_outcome(answer, thought, run.sampling)
            checks.check(trial["outcome"] in expected, f"{place}: outcome", f"{trial['outcome']}, expected {expected}")
            seen.add(trial["outcome"])
            if thought == BUDGET:
                seen.add("budget spent")
        return seen

    def check_sampled_with(self, run, name):
        """What the server read back is what was asked, in every field that it shows."""
        for trial in run.trials:
            used = json.loads(run.transcript(trial)["sampled_with"])
            place = f"{name}: doc {trial['doc_id']}"
            self.checks.equal(trial["sampling_mismatch"], "", f"{place}: no mismatch")
            asked = run.asked(trial)
            for field in ("min_p", "dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n",
                          "dry_sequence_breakers", "samplers", "seed", "max_tokens", "stop"):
                self.checks.check(field in used, f"{place}: {field} was read back")
            for field in asked.keys() & used.keys():
                self.checks.equal(float32(used[field]), float32(asked[field]), f"{place}: {field}")


def talking(t, count):
    checks, model = t.checks, talking_model.write(t.work / "talking.gguf")
    with t.serve(model) as url:
        first = t.run(url, count, {"max_tokens": 64}, model=model)
        if not isinstance(first, Run):
            return
        checks.equal(first.runner["thinking"], "on", "talking: thinking was seen")
        checks.equal(first.runner["budget_probe"], f"cut at {BUDGET}", "talking: budget probe")
        checks.equal(first.runner["slots"], 1, "talking: slots")
        checks.equal(first.runner["slot_context"], 8192, "talking: context")
        checks.equal(len(first.trials), count, "talking: trials")
        seen = t.compare_with_whole_answers(url, first, "talking")
        checks.check({"stop", "budget spent"} <= seen, "talking: answers end, and some thoughts are cut", seen)
        t.check_sampled_with(first, "talking")
        right = sum(trial["flexible"]["correct"] for trial in first.trials)
        checks.check(0 < right < count, "talking: random letters are right now and then", right)

        again = t.run(url, count, {"max_tokens": 64})
        checks.equal(again.texts(), first.texts(), "talking: the same seeds give the same texts")
        other = t.run(url, count, {"max_tokens": 64}, ["--run-seed", 1])
        same = sum(a == b for a, b in zip(other.texts(), first.texts()))
        checks.check(same < count / 2, "talking: other seeds give other texts", f"{same} of {count} are the same")
        repeats = t.run(url, 4, {"max_tokens": 64}, ["--repeats", 3])
        checks.equal(len({trial["seed"] for trial in repeats.trials}), 12, "talking: each repeat has a seed of its own")

        cut = t.run(url, count, {"max_tokens": 10})
        seen = t.compare_with_whole_answers(url, cut, "cut early")
        checks.check("cut_in_reasoning" in seen, "cut early: thoughts are cut", seen)
        ruminating = t.run(url, count, {"max_tokens": 29})
        seen = t.compare_with_whole_answers(url, ruminating, "cut late")
        checks.check("rumination" in seen, "cut late: some answers follow a whole budget and find no end", seen)

        off = t.run(url, count, {"max_tokens": 64, "thinking": "off"})
        checks.equal(off.runner["thinking"], "off", "thinking off was seen")
        t.compare_with_whole_answers(url, off, "thinking off")
        checks.check(all(not reasoning for reasoning, _ in off.texts()), "thinking off: no reasoning")

        said = t.run(url, count, {"max_tokens": 100000}, expect=(3,))
        checks.check(said and "max_tokens" in said, "an answer that the context can't hold is refused", said)
        said = t.run(url, count, {"max_tokens": 64}, model=TINY, expect=(3,))
        checks.check(said and "another model is served" in said, "another model than the plan's is refused", said)


def random_model(t, count):
    """The MoE of the goldens: it never opens a thought by itself."""
    checks = t.checks
    with t.serve(TINY) as url:
        first = t.run(url, count, {"max_tokens": 24}, model=TINY)
        if not isinstance(first, Run):
            return
        checks.equal(first.runner["budget_probe"], f"cut at {BUDGET}", "tiny: budget probe")
        tensors = gguf.GGUFReader(TINY).tensors
        checks.equal(first.runner["n_params"], sum(int(tensor.n_elements) for tensor in tensors), "tiny: parameters")
        checks.equal(first.runner["model_bytes"], sum(int(tensor.n_bytes) for tensor in tensors), "tiny: bytes")
        t.compare_with_whole_answers(url, first, "tiny")
        t.check_sampled_with(first, "tiny")
        again = t.run(url, count, {"max_tokens": 24})
        checks.equal(again.texts(), first.texts(), "tiny: the same seeds give the same texts")


def unparsable(t, count):
    """What the server can't parse is the model's doing: a result, never asked again."""
    checks, model = t.checks, talking_model.write(t.work / "broken.gguf", broken=True)
    with t.serve(model) as url:
        run = t.run(url, count, {"max_tokens": 64})
        if not isinstance(run, Run):
            return
        for trial in run.trials:
            checks.equal(trial["outcome"], "lost_parse", f"broken: doc {trial['doc_id']}: outcome")
            checks.equal(trial["retries"], 0, f"broken: doc {trial['doc_id']}: not asked again")
            checks.check(not trial["flexible"]["correct"], f"broken: doc {trial['doc_id']}: not right")


def mismatch(t):
    """A server that samples otherwise than it is asked to: no real one does, so the fixed-answer server must."""
    command = [t.build.fixed_answer_server, "--force", json.dumps({"min_p": 0.25})]
    with serving(command, t.work / "server.log") as url:
        said = t.run(url, 2, {"max_tokens": 64}, expect=(3,))
        t.checks.check(said and "min_p" in said, "another min_p than asked is refused by name", said)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a build folder with gpqa and fixed-answer-server")
    parser.add_argument("--keep", type=Path, help="an empty folder for everything that is made; else it is deleted")
    parser.add_argument("--long", action="store_true", help="all questions")
    args = parser.parse_args()
    checks, build = Checks(), Build(args.build)
    count = 198 if args.long else 24
    with tempfile.TemporaryDirectory(prefix="gpqa-real-server-") as temporary:
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
        t = Tester(checks, build, (args.keep or Path(temporary)).resolve())
        talking(t, count)
        random_model(t, count // 4)
        unparsable(t, 4)
        mismatch(t)
    checks.finish()


if __name__ == "__main__":
    main()
