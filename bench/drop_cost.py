#!/usr/bin/env python3
"""What dropping experts and proving it cost, beside `cp` of the same files.

    drop_cost.py --build build/release --map MAP.json [--layers N] [--rounds 5] [--work DIR] MODEL...

MODEL: a GGUF file, or a checkpoint's folder. In turns: `cp -r MODEL`, `gpqa experts drop`, `gpqa experts verify`; medians of
the rounds. The first N layers of the map are taken, for slices of a model. Memory is sampled from /proc every 10 ms: what
the program itself holds (RssAnon), and what it has mapped of files beside that (RssFile), which the kernel can take back.
The file cache is warm after the first round, which isn't counted. `cp` ends before its bytes are on the disk; gpqa doesn't, so
that `cp` and `sync` of its file is timed too. What was written is removed.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path


def size_of(path):
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size


def memory_of(pid):
    """RssAnon and RssFile in bytes; 0 once it has ended."""
    found = {"RssAnon": 0, "RssFile": 0}
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] = int(value.split()[0]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found["RssAnon"], found["RssFile"]


def timed(command):
    """Seconds, CPU seconds, most RssAnon, most RssFile."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([str(word) for word in command], stdout=said, stderr=said)
        anon = mapped = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            now = memory_of(process.pid)
            anon, mapped = max(anon, now[0]), max(mapped, now[1])
            time.sleep(0.01)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{command}: {process.returncode}\n{said.read().decode(errors='replace')}")
    return seconds, usage.ru_utime + usage.ru_stime, anon, mapped


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def measure(gpqa, model, map_file, work, rounds):
    copied, dropped = work / f"copied-{model.name}", work / f"dropped-{model.name}"
    tasks = {
        "cp": ["cp", "-r", model, copied],
        "cp and sync": ["sh", "-c", f"cp -r '{model}' '{copied}' && find '{copied}' -type f -exec sync {{}} +"],
        "gpqa experts drop": [gpqa, "experts", "drop", model, "--map", map_file, dropped],
        "gpqa experts verify, map": [gpqa, "experts", "verify", model, dropped, "--map", map_file],
        "gpqa experts verify": [gpqa, "experts", "verify", model, dropped],
    }
    results = {name: [] for name in tasks}
    for number in range(rounds + 1):
        os.sync()  # nobody pays for what was written before
        for name, command in tasks.items():
            result = timed(command)
            if number > 0:
                results[name].append(result)
            if name.startswith("cp"):
                remove(copied)
                os.sync()
        written = size_of(dropped)
        remove(dropped)
    read = size_of(model)
    print(f"\n{model.name}: {read / 1e9:.2f} GB, pruned {written / 1e9:.2f} GB; medians of {rounds}\n")
    print("| what | wall (s) | from, to (s) | CPU (s) | GB/s | own memory (MiB) | mapped (MiB) |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, rows in results.items():
        seconds = [row[0] for row in rows]
        middle = statistics.median(seconds)
        # Of what is written; of both models for a comparison.
        size = read if name.startswith("cp") else written if "drop" in name else 2 * written
        print(f"| {name} | {middle:.2f} | {min(seconds):.2f}, {max(seconds):.2f} | "
              f"{statistics.median(row[1] for row in rows):.2f} | {size / middle / 1e9:.2f} | "
              f"{max(row[2] for row in rows) / 2**20:.0f} | {max(row[3] for row in rows) / 2**20:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--map", required=True)
    parser.add_argument("--layers", type=int, help="of the map, the first ones")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", default=tempfile.gettempdir(), help="a folder on the disk that is measured")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    args = parser.parse_args()
    gpqa = Path(args.build).resolve() / "harness" / "gpqa"
    drops = json.loads(Path(args.map).read_text())
    with tempfile.TemporaryDirectory(prefix="gpqa-drop-cost-", dir=args.work) as folder:
        work = Path(folder)
        for model in map(Path, args.models):
            layers = args.layers or len(drops)
            map_file = work / f"{layers}-layers.json"
            map_file.write_text(json.dumps({str(layer): drops[str(layer)] for layer in range(layers)}))
            measure(gpqa, model.resolve(), map_file, work, args.rounds)
            map_file.unlink()


if __name__ == "__main__":
    main()
