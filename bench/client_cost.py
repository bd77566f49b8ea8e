#!/usr/bin/env python3
"""What a client costs beside the model it waits for: user CPU time and peak memory, from the kernel's own accounts.

    client_cost.py --build build/release [--runs 5] [--check]

Run it with the Python that has lm-eval. --check fails where a bound isn't kept: against lm-eval, at most 1/40 of its user
CPU time and 1/10 of its memory over 198 instant answers; 100,000 trials compared in less than 2 s.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "peers"))
from lm_eval_peer import MODEL, TASK, lm_eval_environment, write_task
from peer import SYNTHETIC_CSV, Build, Checks, serving


class Cost:
    def __init__(self, user_s, peak_mib, wall_s):
        self.user_s, self.peak_mib, self.wall_s = user_s, peak_mib, wall_s


def measure(command, environment=None):
    """Of a process and the children that it waited for."""
    with tempfile.TemporaryFile() as output:
        start = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{command[0]} ended with {process.returncode}:\n{output.read().decode(errors='replace')[-3000:]}")
    return Cost(usage.ru_utime, usage.ru_maxrss / 1024, wall)


def median(costs):
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("user_s", "peak_mib", "wall_s")))


def instant_answers(build, work, runs):
    """lm-eval and gpqa in turns over 198 questions whose answers cost nothing."""
    theirs, ours = [], []
    task = work / "task"
    task.mkdir()
    write_task(task, SYNTHETIC_CSV)
    with serving([build.fixed_answer_server], work / "server.log") as url:
        for number in range(runs):
            theirs.append(measure(
                [sys.executable, "-m", "lm_eval", "--model", "local-chat-completions", "--model_args",
                 f"model={MODEL},base_url={url}/v1/chat/completions,num_concurrent=1", "--tasks", TASK, "--include_path", task,
                 "--apply_chat_template", "--log_samples", "--output_path", work / f"lm-eval{number}"],
                lm_eval_environment(work)))
            ours.append(measure([build.gpqa, "run", "--dataset", SYNTHETIC_CSV, "--server", url, "--name", "bench", "--profile",
                                 "lm-eval", "--out", work / f"gpqa{number}"]))
    return median(theirs), median(ours)


def long_streams(build, work, runs, streams, deltas):
    costs = []
    with serving([build.fixed_answer_server, "--slots", streams, "--ctx", 16384, "--deltas", deltas],
                 work / "server.log") as url:
        for number in range(runs):
            out = work / f"streams{number}"
            costs.append(measure([build.gpqa, "run", "--dataset", SYNTHETIC_CSV, "--server", url, "--name", "bench", "--profile",
                                  "card-b11434", "--limit", streams, "--context-pool", streams * 16384, "--out", out]))
            if (out / "bench" / "trials.jsonl").read_text().count('"outcome":"stop"') != streams:
                sys.exit("not every stream came to its end")
    return median(costs)


def comparison(build, work, runs, trials):
    out = work / "compare"
    subprocess.run([build.folder / "bench" / "make_runs", out, str(trials)], check=True)
    return median([measure([build.gpqa, "compare", out / "a", out / "b"]) for _ in range(runs)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a release build with the bench")
    parser.add_argument("--runs", type=int, default=5, help="medians are taken of so many")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    build, streams, deltas, trials = Build(args.build), 64, 8000, 100000
    with tempfile.TemporaryDirectory(prefix="gpqa-bench-") as folder:
        work = Path(folder)
        theirs, ours = instant_answers(build, work, args.runs)
        streamed = long_streams(build, work, args.runs, streams, deltas)
        compared = comparison(build, work, args.runs, trials // 2)

    print(f"\nMedians of {args.runs}, {os.cpu_count()} processors\n")
    print("| what | user CPU (s) | peak memory (MiB) | wall (s) |")
    print("|---|--:|--:|--:|")
    for name, cost in (("lm-eval, 198 instant answers", theirs), ("gpqa, 198 instant answers", ours),
                       (f"gpqa, {streams} streams of {deltas:,} deltas each", streamed),
                       (f"gpqa compare, 2 runs of {trials // 2:,} trials", compared)):
        print(f"| {name} | {cost.user_s:.3f} | {cost.peak_mib:.1f} | {cost.wall_s:.2f} |")
    cpu, memory = theirs.user_s / max(ours.user_s, 1e-6), theirs.peak_mib / ours.peak_mib
    print(f"\ngpqa takes 1/{cpu:.0f} of lm-eval's user CPU time and 1/{memory:.0f} of its memory.")
    if args.check:
        checks = Checks()
        checks.check(cpu >= 40, "user CPU time is at most 1/40 of lm-eval's", f"1/{cpu:.1f}")
        checks.check(memory >= 10, "peak memory is at most 1/10 of lm-eval's", f"1/{memory:.1f}")
        checks.check(compared.wall_s < 2, f"{trials:,} trials are compared in less than 2 s", f"{compared.wall_s:.2f} s")
        checks.finish()


if __name__ == "__main__":
    main()
