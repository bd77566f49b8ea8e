#!/usr/bin/env python3
"""The real lm-eval and gpqa ask the same fixed-answer server; then both files of both are compared, key by key.

    lm_eval_peer.py --build build/release [--keep DIR]

Run it with the Python that has lm-eval. What may differ stands in docs/lm_eval_export.md, and nowhere else.
"""
import argparse
import csv
import importlib.util
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from nasty_csv import write_nasty_csv
from peer import DATA, REPOSITORY, SYNTHETIC_CSV, Build, Checks, read_json_lines, serving, write_plan

TASK = "gpqa_diamond_cot_zeroshot"
MODEL = "fixed-answers"
CARD = {"temperature": 1.0, "max_tokens": 16384, "top_k": 64, "top_p": 0.95}
CARD_GEN_KWARGS = "do_sample=True,temperature=1.0,max_gen_toks=16384,top_k=64,top_p=0.95"  # the same for lm-eval


def exempt_paths():
    """The table of docs/lm_eval_export.md: '/configs/TASK/...' -> what is said about it."""
    text = (REPOSITORY / "docs" / "lm_eval_export.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(/[^`]+)` \|(.*)\|$", text.split("## Exempt values")[1], re.MULTILINE)
    return {path.replace("TASK", TASK): words.strip() for path, words in rows}


def write_task(folder, dataset):
    """lm-eval's own task, reading a file instead of the hub."""
    installed = Path(importlib.util.find_spec("lm_eval").origin).parent / "tasks" / "gpqa" / "cot_zeroshot"
    shutil.copy(installed / "utils.py", folder / "utils.py")
    text = (installed / "_gpqa_cot_zeroshot_yaml").read_text(encoding="utf-8")
    text, changes = re.subn(r"^dataset_path:.*$", "dataset_path: csv\ndataset_kwargs:\n  data_files:\n    train: "
                            + json.dumps(str(dataset)), text, flags=re.MULTILINE)
    text, tags = re.subn(r"^tag:.*\n", "", text, flags=re.MULTILINE)
    assert (changes, tags) == (1, 1), "lm-eval's task file looks different"
    (folder / f"{TASK}.yaml").write_text(f"task: {TASK}\n{text}", encoding="utf-8")


def lm_eval_environment(work):
    """Offline, and with a cache of its own: a cached shuffle would outlive its seed."""
    return dict(os.environ, HF_HOME=str(work / "hf"), HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1",
                HF_DATASETS_DISABLE_PROGRESS_BARS="1", PYTHONWARNINGS="ignore")


def run_lm_eval(work, dataset, url, card):
    task = work / "task"
    task.mkdir()
    write_task(task, dataset)
    out = work / "lm-eval"
    command = [sys.executable, "-m", "lm_eval", "--model", "local-chat-completions", "--model_args",
               f"model={MODEL},base_url={url}/v1/chat/completions,num_concurrent=1", "--tasks", TASK, "--include_path", task,
               "--apply_chat_template", "--log_samples", "--output_path", out]
    if card:
        command += ["--gen_kwargs", CARD_GEN_KWARGS]
    done = subprocess.run([str(word) for word in command], env=lm_eval_environment(work), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"lm-eval ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    results = next(out.rglob("results_*.json"))
    if '"dataset_path": "csv"' not in results.read_text(encoding="utf-8"):
        sys.exit("lm-eval took its own task instead of the one in --include_path")
    return results, next(out.rglob(f"samples_{TASK}_*.jsonl"))


def run_ours(work, build, dataset, url, card):
    plan = write_plan(work / "peer.toml", dataset, "lm-eval", [("ours", url, "concurrency = 1")], CARD if card else {})
    build.run_gpqa("run", "--plan", plan, "--out", work / "runs", cwd=work)
    out = work / "export"
    build.run_gpqa("export", work / "runs" / "ours", "--format", "lm-eval", "--out", out, cwd=work)
    return next(out.rglob("results_*.json")), next(out.rglob(f"samples_{TASK}_*.jsonl"))


def differences(ours, theirs, path=""):
    """Paths at which two JSON values differ: in keys, their order, or values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if list(ours) != list(theirs):
            yield f"{path or '/'}: keys {list(ours)} where lm-eval has {list(theirs)}"
        for key in theirs:
            if key in ours:
                yield from differences(ours[key], theirs[key], f"{path}/{key}")
    elif repr(ours) != repr(theirs):  # repr tells 1 from 1.0 and True, and keeps every bit of a double
        yield f"{path}: {ours!r} where lm-eval has {theirs!r}"


def without(value, exempt, path=""):
    """The value less what is exempt; the keys stay."""
    if path in exempt:
        return "(exempt)"
    if isinstance(value, dict):
        return {key: without(child, exempt, f"{path}/{key}") for key, child in value.items()}
    return value


def compare_results(checks, name, ours, theirs):
    exempt = exempt_paths()
    ours, theirs = (json.loads(path.read_text(encoding="utf-8")) for path in (ours, theirs))
    checks.equal(list(ours), list(theirs), f"{name} results: keys")
    for key in theirs:
        found = list(differences(*(without({key: side.get(key)}, exempt) for side in (ours, theirs))))
        checks.check(not found, f"{name} results", found)


def compare_samples(checks, name, ours, theirs):
    ours, theirs = read_json_lines(ours), read_json_lines(theirs)
    if not checks.equal(len(ours), len(theirs), f"{name}: number of samples"):
        return
    for our, their in zip(ours, theirs):
        found = list(differences(our, their))
        checks.check(not found, f"{name}: doc {their['doc_id']} {their['filter']}", found)
    right = {flt: sum(line["exact_match"] for line in theirs if line["filter"] == flt)
             for flt in ("strict-match", "flexible-extract")}
    print(f"{name}: {len(theirs) // 2} docs, lm-eval finds right: strict {right['strict-match']:.0f}, "
          f"flexible {right['flexible-extract']:.0f}", flush=True)
    # A set in which nothing is right, or all, would compare nothing.
    for flt, count in right.items():
        checks.check(0 < count < len(theirs) / 2, f"{name}: {flt} finds some and not all")


def write_answers(path, prompts, seed):
    """Answers of every style that the extraction goldens know, one a prompt."""
    draw = random.Random(seed)
    pool = read_json_lines(DATA / "lm-eval" / "extraction.jsonl")
    with path.open("w", encoding="utf-8") as out:
        for line in prompts:
            own = [f"The answer is ({'ABCD'[draw.randrange(4)]}).", f"So it is {draw.choice(line['choices'])}", "no idea",
                   f"Answer: {'ABCD'[draw.randrange(4)]}"]
            text = draw.choice(pool)["response"] if draw.random() < 0.5 else draw.choice(own)
            answer = {"prompt": line["prompt"], "content": text or ""}
            if draw.random() < 0.5:
                answer["reasoning"] = "Perhaps (A), or the answer is (C)."
            out.write(json.dumps(answer) + "\n")
    return path


def one_set(checks, name, work, build, dataset, answers, card=False):
    work.mkdir()
    command = [build.fixed_answer_server, "--slots", 4, "--ctx", 131072]
    if answers:
        command += ["--answers", answers]
    with serving(command, work / "server.log") as url:
        results, samples = run_lm_eval(work, dataset, url, card)
        our_results, our_samples = run_ours(work, build, dataset, url, card)
    compare_samples(checks, name, our_samples, samples)
    compare_results(checks, name, our_results, results)


def run_sets(checks, build, work, seeds):
    one_set(checks, "synthetic", work / "synthetic", build, SYNTHETIC_CSV, None)
    golden = write_answers(work / "golden.jsonl", read_json_lines(DATA / "lm-eval" / "prompts.jsonl"), 1)
    one_set(checks, "card", work / "card", build, SYNTHETIC_CSV, golden, card=True)
    with SYNTHETIC_CSV.open(newline="", encoding="utf-8") as file:
        columns = next(csv.reader(file))
    for seed in seeds:
        nasty = write_nasty_csv(work / f"nasty{seed}.csv", columns, seed)
        prompts = [json.loads(line) for line in build.run_gpqa("prompts", "--dataset", nasty).stdout.split("\n") if line]
        answers = write_answers(work / f"nasty{seed}.jsonl", prompts, seed)
        one_set(checks, f"nasty {seed}", work / f"nasty{seed}", build, nasty, answers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a build folder with gpqa and fixed-answer-server")
    parser.add_argument("--keep", type=Path, help="an empty folder for everything that is made; else it is deleted")
    parser.add_argument("--long", action="store_true", help="more random sets")
    args = parser.parse_args()
    seeds = range(11, 27 if args.long else 14)
    checks, build = Checks(), Build(args.build)
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        run_sets(checks, build, args.keep.resolve(), seeds)
    else:
        with tempfile.TemporaryDirectory(prefix="gpqa-lm-eval-") as work:
            run_sets(checks, build, Path(work), seeds)
    checks.finish()


if __name__ == "__main__":
    main()
