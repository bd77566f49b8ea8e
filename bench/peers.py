#!/usr/bin/env python3
"""The rounds of scripts/bench_peers.sh: gpqa and llama.cpp in turns on the same file, as a markdown table and a plot.

Every figure is a median over the rounds. The machine's memory is measured by gpqa around each turn: where it is
shared, it changes within minutes, and a turn is only as good as the memory that it met.
"""
import argparse
import hashlib
import json
import pathlib
import statistics
import subprocess
import sys

ROWS = ["prompt", "1 slot", "8 slots", "16 slots"]
SLOTS = {1: "1 slot", 8: "8 slots", 16: "16 slots"}


def output_of(command):
    """What a program prints; its own words only where it fails."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"bench_peers: {command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def ask_gpqa(a, slots):
    command = [a.gpqa, "model", "bench", a.model, "--no-check", "--json", "--threads", a.threads]
    command += ["-p", a.prompt, "-n", a.steps, "--slots", slots]
    return json.loads(output_of(command + (["--kernels", a.kernels] if a.kernels else [])))


def turn_of_gpqa(a):
    """Tokens/s of each row, bytes a step of each number of slots, bandwidths."""
    found = ask_gpqa(a, "1,8,16")
    rows = {"prompt": found["prompt"]["tokens_per_s"]}
    reads = {}
    bandwidth = [found["prompt"]["bandwidth_before"], found["prompt"]["bandwidth_after"]]
    for row in found["decode"]:
        name = SLOTS[row["slots"]]
        rows[name] = row["mean_tokens_per_s"]  # all that the peer's tools tell
        reads[name] = {"bytes": row["weight_bytes"] + row["kv_bytes"], "experts": row["experts"]}
        bandwidth += [row["bandwidth_before"], row["bandwidth_after"]]
    return rows, reads, bandwidth, found["kernels"]


def turn_of_llama(a):
    tools = pathlib.Path(a.llama)
    bench = [tools / "llama-bench", "-m", a.model, "-t", a.threads, "-r", 1, "-o", "json"]
    prompt = json.loads(output_of(bench + ["-p", a.prompt, "-n", 0]))
    one = json.loads(output_of(bench + ["-p", 0, "-n", a.steps, "-d", a.prompt]))
    rows = {"prompt": prompt[0]["avg_ts"], "1 slot": one[0]["avg_ts"]}
    cells = 16 * (a.prompt + a.steps)
    batched = [tools / "llama-batched-bench", "-m", a.model, "-t", a.threads, "-c", cells, "-npp", a.prompt]
    lines = output_of(batched + ["-ntg", a.steps, "-npl", "8,16", "--output-format", "jsonl"])
    for line in lines.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            rows[SLOTS[row["pl"]]] = row["speed_tg"]
    missing = [name for name in ROWS if name not in rows]
    if missing:
        sys.exit(f"bench_peers: llama.cpp's tools said nothing of {', '.join(missing)}:\n{lines[-2000:]}")
    return rows


def bandwidth_now(a):
    return ask_gpqa(argparse.Namespace(**{**vars(a), "prompt": 1, "steps": 1}), "1")["prompt"]["bandwidth_after"]


def measure(a):
    """The rounds, those of an earlier start of the same program on the same file among them. Each is kept when it
    ends, and Ctrl-C ends them early."""
    kept = pathlib.Path(a.rounds_file) if a.rounds_file else None
    setup = {"gpqa": hashlib.sha256(pathlib.Path(a.gpqa).read_bytes()).hexdigest(), "model": a.model, "llama": a.llama,
             "kernels": a.kernels, "threads": a.threads, "prompt": a.prompt, "steps": a.steps}
    rounds = []
    if kept and kept.exists():
        earlier = json.loads(kept.read_text())
        if isinstance(earlier, dict) and earlier.get("setup") == setup:
            rounds = earlier["rounds"]
    try:
        measure_rounds(a, rounds, lambda: kept and kept.write_text(
            json.dumps({"setup": setup, "rounds": rounds}, indent=1) + "\n"))
    except KeyboardInterrupt:
        if not rounds:
            raise
    return rounds


def measure_rounds(a, rounds, keep):
    for number in range(len(rounds), a.rounds):
        print(f"bench_peers: round {number + 1} of {a.rounds}: gpqa", file=sys.stderr, flush=True)
        ours, reads, around_ours, kernels = turn_of_gpqa(a)
        print(f"bench_peers: round {number + 1} of {a.rounds}: llama.cpp", file=sys.stderr, flush=True)
        before = bandwidth_now(a)
        theirs = turn_of_llama(a)
        rounds.append({"gpqa": ours, "llama.cpp": theirs, "reads": reads, "kernels": kernels,
                       "bandwidth": {"gpqa": around_ours, "llama.cpp": [before, bandwidth_now(a)]}})
        keep()


def summary(rounds):
    rows = []
    for name in ROWS:
        row = {"name": name}
        for who in ("gpqa", "llama.cpp"):
            values = [r[who][name] for r in rounds]
            row[who] = {"median": statistics.median(values), "low": min(values), "high": max(values)}
        # Of the same round: both met about the same memory.
        row["ratio"] = statistics.median(r["gpqa"][name] / r["llama.cpp"][name] for r in rounds)
        if name in rounds[0]["reads"]:
            row["bytes"] = statistics.median(r["reads"][name]["bytes"] for r in rounds)
            row["experts"] = statistics.median(r["reads"][name]["experts"] for r in rounds)
        rows.append(row)
    bandwidth = {who: sorted(b for r in rounds for b in r["bandwidth"][who]) for who in ("gpqa", "llama.cpp")}
    return rows, bandwidth


def bound(row, bandwidth):
    """Tokens/s of all slots if memory did nothing but read what the step needs."""
    slots = int(row["name"].split()[0])
    return slots * statistics.median(bandwidth["gpqa"]) / row["bytes"]


def markdown(a, rounds, rows, bandwidth):
    lines = [f"{pathlib.Path(a.model).name}, {a.threads} threads, kernels {rounds[0]['kernels']}; prompt of {a.prompt} tokens, "
             f"then {a.steps} a slot; tokens/s in all, medians of {len(rounds)} round{'s' * (len(rounds) > 1)} (least-most).", "",
             "| | gpqa | llama.cpp | ratio | memory's bound | distinct experts a layer |", "|---|--:|--:|--:|--:|--:|"]
    for row in rows:
        cells = [row["name"]]
        for who in ("gpqa", "llama.cpp"):
            v = row[who]
            cells.append(f"{v['median']:.1f} ({v['low']:.1f}-{v['high']:.1f})")
        cells.append(f"{row['ratio']:.2f}")
        cells += [f"{bound(row, bandwidth):.1f}", f"{row['experts']:.1f}"] if "bytes" in row else ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    words = "; ".join(f"around {who} {statistics.median(b) / 1e9:.1f} GB/s ({b[0] / 1e9:.1f}-{b[-1] / 1e9:.1f})"
                      for who, b in bandwidth.items())
    lines += ["", f"Memory as measured in the rounds: {words}. llama.cpp: build 11434 with native instructions, without AMX"
              f"{' or AVX-512' if a.kernels == 'avx2' else ''}, `llama-bench` for the prompt and one slot, `llama-batched-bench` "
              "for the others. Both programs feed random tokens, each slot its own."]
    return "\n".join(lines) + "\n"


def draw(path, rows, bandwidth):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "gpqa"  # the same picture from the same figures
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    width = 0.38
    for i, (who, colour) in enumerate((("gpqa", "#1b6ca8"), ("llama.cpp", "#c9b26b"))):
        at = [x + (i - 0.5) * width for x in range(len(rows))]
        heights = [row[who]["median"] for row in rows]
        spread = [[row[who]["median"] - row[who]["low"] for row in rows],
                  [row[who]["high"] - row[who]["median"] for row in rows]]
        bars = axes.bar(at, heights, width, yerr=spread, color=colour, ecolor="#555555", capsize=2, label=who)
        axes.bar_label(bars, fmt="%.0f", padding=2, fontsize=8)
    for x, row in enumerate(rows):
        if "bytes" in row:
            axes.hlines(bound(row, bandwidth), x - width, x + width, color="#222222", linestyle="dashed",
                        label="what memory allows" if row["name"] == ROWS[1] else None)
    axes.set_xticks(range(len(rows)), [row["name"] for row in rows])
    axes.set_ylabel("tokens/s in all")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.12)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpqa", required=True, help="the program")
    parser.add_argument("--llama", required=True, help="the folder of llama.cpp's programs")
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--kernels", default="", help="of gpqa [the best]")
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rounds-file", help="keep every round's figures here, as JSON, and go on where it ended")
    parser.add_argument("--svg", help="draw the plot here")
    a = parser.parse_args()
    rounds = measure(a)
    rows, bandwidth = summary(rounds)
    print(markdown(a, rounds, rows, bandwidth), end="")
    if a.svg:
        draw(a.svg, rows, bandwidth)


if __name__ == "__main__":
    main()
