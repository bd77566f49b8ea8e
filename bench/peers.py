#!/usr/bin/env python3
"""The rounds of scripts/bench_peers.sh: gpqa, llama.cpp and ik_llama.cpp in turns on the same file, as a markdown table
and a plot.

Every figure is a median over the rounds. The machine's memory is measured around each turn: where it is shared, it
changes within minutes, and a turn is only as good as the memory that it met.
"""
import argparse
import hashlib
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import typing

ROWS = ["prompt", "1 slot", "8 slots", "16 slots"]
SLOTS = {1: "1 slot", 8: "8 slots", 16: "16 slots"}
OURS = "gpqa"


class Peer(typing.NamedTuple):
    """The tools of llama.cpp, or of a fork of it."""

    name: str
    colour: str
    after_prompt: typing.Callable[[int, int], list]  # what llama-bench calls so many tokens after such a prompt
    bench: list = []  # what they are fastest with
    batched: list = []


PEERS = [
    Peer("llama.cpp", "#c9b26b", lambda prompt, steps: ["-n", steps, "-d", prompt]),
    # Weights repacked into interleaved rows; experts' gate and up are fused by default.
    Peer("ik_llama.cpp", "#b5654a", lambda prompt, steps: ["-n", 0, "-gp", f"{prompt},{steps}"], ["-rtr", 1], ["-rtr"]),
]


def output_of(command):
    """What a program prints, and then what it says of its work; only that, where it fails."""
    with tempfile.TemporaryDirectory() as folder:  # some write a log where they are
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              cwd=folder)
    if done.returncode != 0:
        sys.exit(f"bench_peers: {command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout, done.stderr


def turn_of_gpqa(a):
    """Tokens/s of each row, bytes a step of each number of slots."""
    command = [a.gpqa, "model", "bench", a.model, "--no-check", "--json", "--threads", a.threads, "-p", a.prompt,
               "-n", a.steps, "--slots", "1,8,16"] + (["--kernels", a.kernels] if a.kernels else [])
    found = json.loads(output_of(command)[0])
    rows = {"prompt": found["prompt"]["tokens_per_s"]}
    reads = {}
    for row in found["decode"]:
        name = SLOTS[row["slots"]]
        rows[name] = row["mean_tokens_per_s"]  # all that the peers' tools tell
        reads[name] = {"bytes": row["weight_bytes"] + row["kv_bytes"], "experts": row["experts"]}
    return rows, reads, found["kernels"]


def turn_of_peer(peer, a):
    rows = {}
    folder = getattr(a, peer.name)
    bench = [f"{folder}/llama-bench", "-m", a.model, "-t", a.threads, "-r", 1, "-o", "json", *peer.bench]
    for name, what in ("prompt", ["-p", a.prompt, "-n", 0]), ("1 slot", ["-p", 0, *peer.after_prompt(a.prompt, a.steps)]):
        said = output_of(bench + what)[0]
        # Not read as JSON: some say other things in the midst of it.
        if found := re.search(r'"avg_ts": ([0-9.]+)', said):
            rows[name] = float(found[1])
    cells = 16 * (a.prompt + a.steps)
    said = "".join(output_of([f"{folder}/llama-batched-bench", "-m", a.model, "-t", a.threads, "-c", cells, "-npp",
                              a.prompt, "-ntg", a.steps, "-npl", "8,16", *peer.batched]))
    for line in said.splitlines():
        # | PP | TG | B | N_KV | T_PP s | S_PP t/s | T_TG s | S_TG t/s | T s | S t/s |
        found = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and found[0] == str(a.prompt):
            rows[SLOTS[int(found[2])]] = float(found[7])
    missing = [name for name in ROWS if name not in rows]
    if missing:
        sys.exit(f"bench_peers: {peer.name}'s tools said nothing of {', '.join(missing)}:\n{said[-2000:]}")
    return rows


def memory_now(a):
    return float(output_of([a.memory, a.threads])[0])


def measure(a):
    """The rounds, those of an earlier start of the same program on the same file among them. Each is kept when it
    ends, and Ctrl-C ends them early."""
    kept = pathlib.Path(a.rounds_file) if a.rounds_file else None
    setup = {"gpqa": hashlib.sha256(pathlib.Path(a.gpqa).read_bytes()).hexdigest(), "model": a.model,
             "peers": {peer.name: [getattr(a, peer.name), *peer.bench] for peer in a.peers}, "kernels": a.kernels, "threads": a.threads, "prompt": a.prompt, "steps": a.steps}
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
        figures, memory = {}, {}

        def turn(name, measure_it):
            print(f"bench_peers: round {number + 1} of {a.rounds}: {name}", file=sys.stderr, flush=True)
            before = memory_now(a)
            result = measure_it()
            memory[name] = [before, memory_now(a)]
            return result

        figures[OURS], reads, kernels = turn(OURS, lambda: turn_of_gpqa(a))
        for peer in a.peers:
            figures[peer.name] = turn(peer.name, lambda: turn_of_peer(peer, a))
        rounds.append({"tokens_per_s": figures, "reads": reads, "kernels": kernels, "memory": memory})
        keep()


def summary(a, rounds):
    """Rows of medians, and what was read of the memory around each program's turns."""
    rows = []
    for name in ROWS:
        row = {"name": name, "speed": {}, "ratio": {}}
        for who in (OURS, *(peer.name for peer in a.peers)):
            values = [r["tokens_per_s"][who][name] for r in rounds]
            row["speed"][who] = {"median": statistics.median(values), "low": min(values), "high": max(values)}
            if who != OURS:  # of the same round: both met about the same memory
                row["ratio"][who] = statistics.median(
                    r["tokens_per_s"][OURS][name] / r["tokens_per_s"][who][name] for r in rounds)
        if name in rounds[0]["reads"]:
            row["bytes"] = statistics.median(r["reads"][name]["bytes"] for r in rounds)
            row["experts"] = statistics.median(r["reads"][name]["experts"] for r in rounds)
        rows.append(row)
    memory = {who: sorted(b for r in rounds for b in r["memory"][who]) for who in rounds[0]["memory"]}
    return rows, memory


def bound(row, memory):
    """Tokens/s of all slots if memory did nothing but give what the step needs."""
    slots = int(row["name"].split()[0])
    return slots * statistics.median(memory[OURS]) / row["bytes"]


def markdown(a, rounds, rows, memory):
    head = ["", OURS]
    for peer in a.peers:
        head += [peer.name, "ratio"]
    head += ["memory's bound", "distinct experts a layer"]
    lines = [f"{pathlib.Path(a.model).name}, {a.threads} threads, kernels {rounds[0]['kernels']}; prompt of {a.prompt} tokens, "
             f"then {a.steps} a slot; tokens/s in all, medians of {len(rounds)} round{'s' * (len(rounds) > 1)} (least-most).", "",
             "| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    for row in rows:
        cells = [row["name"]]
        for who, v in row["speed"].items():
            cells.append(f"{v['median']:.1f} ({v['low']:.1f}-{v['high']:.1f})")
            if who in row["ratio"]:
                cells.append(f"{row['ratio'][who]:.2f}")
        cells += [f"{bound(row, memory):.1f}", f"{row['experts']:.1f}"] if "bytes" in row else ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    words = "; ".join(f"around {who} {statistics.median(b) / 1e9:.1f} GB/s ({b[0] / 1e9:.1f}-{b[-1] / 1e9:.1f})"
                      for who, b in memory.items())
    lines += ["", f"Memory as measured in the rounds: {words}."]
    return "\n".join(lines) + "\n"


def draw(path, rows, memory, peers):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "gpqa"  # the same picture from the same figures
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    bars_of = [(OURS, "#1b6ca8"), *((peer.name, peer.colour) for peer in peers)]
    width = 0.8 / len(bars_of)
    for i, (who, colour) in enumerate(bars_of):
        at = [x + (i - (len(bars_of) - 1) / 2) * width for x in range(len(rows))]
        speeds = [row["speed"][who] for row in rows]
        spread = [[v["median"] - v["low"] for v in speeds], [v["high"] - v["median"] for v in speeds]]
        bars = axes.bar(at, [v["median"] for v in speeds], width, yerr=spread, color=colour, ecolor="#555555", capsize=2,
                        label=who)
        axes.bar_label(bars, fmt="%.0f", padding=2, fontsize=8, zorder=3,  # above the dashed lines
                       bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    for x, row in enumerate(rows):
        if "bytes" in row:
            axes.hlines(bound(row, memory), x - 0.4, x + 0.4, color="#222222", linestyle="dashed",
                        label="what memory allows" if row["name"] == ROWS[1] else None)
    axes.set_xticks(range(len(rows)), [row["name"] for row in rows])
    axes.set_ylabel("tokens/s in all")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.12)
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    figure.savefig(path, metadata={"Date": None})


def whole(path):
    """The programs are started in another folder."""
    return str(pathlib.Path(path).resolve())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpqa", type=whole, required=True, help="the program")
    parser.add_argument("--memory", type=whole, required=True, help="the program that measures the memory: bench/memory_speed")
    for peer in PEERS:
        parser.add_argument(f"--{peer.name}", dest=peer.name, type=whole, help=f"the folder of {peer.name}'s programs")
    parser.add_argument("--model", type=whole, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--kernels", default="", help="of gpqa [the best]")
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rounds-file", help="keep every round's figures here, as JSON, and go on where it ended")
    parser.add_argument("--svg", help="draw the plot here")
    a = parser.parse_args()
    a.peers = [peer for peer in PEERS if getattr(a, peer.name)]
    rounds = measure(a)
    rows, memory = summary(a, rounds)
    print(markdown(a, rounds, rows, memory), end="")
    if a.svg:
        draw(a.svg, rows, memory, a.peers)


if __name__ == "__main__":
    main()
