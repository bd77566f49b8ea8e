"""What the peer tests share: counted checks, servers that end with the test, and gpqa's own commands."""
import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "tests" / "data"
SYNTHETIC_CSV = DATA / "lm-eval" / "synthetic_gpqa_diamond.csv"


class Checks:
    """Counts; prints what failed, and at the end one line that a script can add up."""

    MOST_SHOWN = 40

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, holds, what, detail=""):
        if holds:
            self.passed += 1
            return True
        self.failed += 1
        if self.failed <= self.MOST_SHOWN:
            print(f"FAILED: {what}{': ' + str(detail)[:600] if detail else ''}", flush=True)
        return False

    def equal(self, ours, theirs, what):
        return self.check(ours == theirs, what, f"{ours!r} where {theirs!r} was expected")

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)


class Build:
    """The binaries of a build folder."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.gpqa = self.folder / "harness" / "gpqa"
        self.fixed_answer_server = self.folder / "tests" / "support" / "fixed-answer-server"
        for binary in (self.gpqa, self.fixed_answer_server):
            if not binary.exists():
                sys.exit(f"{binary} isn't there: build it first (cmake --build {folder})")

    def run_gpqa(self, *args, expect=(0,), cwd=None):
        done = subprocess.run([self.gpqa, *map(str, args)], capture_output=True, text=True, cwd=cwd)
        if expect is not None and done.returncode not in expect:
            sys.exit(f"gpqa {' '.join(map(str, args))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done


@contextlib.contextmanager
def serving(command, log):
    """Starts a server that prints its address and ends with its standard input; gives the address."""
    with open(log, "ab") as errors:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=errors, text=True)
    try:
        url = ""
        for line in process.stdout:
            if line.startswith("http://"):
                url = line.strip()
                break
        if not url:
            sys.exit(f"{command[0]} did not start:\n{Path(log).read_text(errors='replace')[-2000:]}")
        threading.Thread(target=lambda: [None for _ in process.stdout], daemon=True).start()
        yield url
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def read_json_lines(path):
    # splitlines() would also split at U+2028, which JSON leaves as it is.
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").split("\n") if line]


def write_plan(path, dataset, profile, variants, sampling):
    """A plan file; `variants` are (name, url, words of TOML beside the url), the first one is the reference."""
    quoted = json.dumps
    lines = [f"dataset = {quoted(str(dataset))}", f"profile = {quoted(profile)}", "[sampling]",
             *(f"{key} = {quoted(value)}" for key, value in sampling.items())]
    for number, (name, url, words) in enumerate(variants):
        lines += ["[[variant]]", f"name = {quoted(name)}", f"reference = {'false' if number else 'true'}",
                  f"server = {{ url = {quoted(url)}{', ' + words if words else ''} }}"]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
