#!/usr/bin/env python3
"""gpqa's tokenizer against a real llama.cpp's: random texts, each with special tokens parsed and not.

    tokenizer_peer.py --build build/release [--model X.gguf] [--texts N] [--long]

Run it with the Python that has xllamacpp and gguf. --model: the tiny Gemma 4 of tests/data, or any that llama.cpp can
serve. A text is made of token texts, words, characters of all scripts, runs of one character, and bytes that are no
UTF-8 (as U+FFFD: JSON has no other).
"""
import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import gguf
from peer import DATA, Build, Checks, serving

SERVER = Path(__file__).resolve().parent / "llama_server.py"
TINY = DATA / "gemma4" / "tiny-q4_k_m.gguf"
WORDS = [" the", "Hello", " world", "\n\n", " ...", "=>", "0x1F", "3.14159", "\t", " <", "<|turn", "channel", ">", "</s>", "<0x41>",
         "\r\n", "don't", " I'm", "na\u00efve", " \u00c5ngstr\u00f6m", "\u2581", "> </", ">\u2581</b>"]
BLOCKS = [(0, 0x7f), (0x80, 0x7ff), (0x800, 0xd7ff), (0xe000, 0xffff), (0x10000, 0x10ffff), (0x1f300, 0x1faff), (0x4e00, 0x9fff)]


def random_text(rng, tokens, special):
    out = []
    for _ in range(rng.randrange(12)):
        kind = rng.randrange(8)
        if kind == 0:
            out.append(chr(rng.randint(*rng.choice(BLOCKS))))
        elif kind == 1:
            out.append(rng.choice("\n a0<-=.") * rng.randrange(40))
        elif kind == 2:
            out.append(rng.choice(special))
        elif kind == 3:
            out.append(rng.choice(WORDS))
        elif kind == 4:
            out.append(rng.randbytes(rng.randrange(8)).decode("utf-8", "replace"))
        else:
            text = rng.choice(tokens)
            out.append(text if rng.randrange(4) == 0 else text.replace("\u2581", " "))
    return "".join(out)


class Server:
    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc, timeout=120)

    def tokenize(self, text, parse_special):
        body = json.dumps({"content": text, "add_special": False, "parse_special": parse_special})
        self.connection.request("POST", "/tokenize", body, {"Content-Type": "application/json"})
        return json.loads(self.connection.getresponse().read())["tokens"]


def ours(program, model, texts, parse_special):
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    command = [program, "model", "tokenize", str(model), "--json"] + ([] if parse_special else ["--no-special"])
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--model", type=Path, default=TINY)
    parser.add_argument("--texts", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true")
    args = parser.parse_args()
    build, checks, rng = Build(args.build), Checks(), random.Random(args.seed)
    fields = gguf.GGUFReader(args.model).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    special = [text for text, kind in zip(tokens, types) if kind in (3, 4)]
    count = args.texts or (20000 if args.long else 2000)
    texts = [random_text(rng, tokens, special) for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder, \
            serving([sys.executable, SERVER, "--model", args.model, "--ctx", "256"], Path(folder) / "server.log") as url:
        server = Server(url)
        for parse_special in (True, False):
            for text, found in zip(texts, ours(build.gpqa, args.model, texts, parse_special), strict=True):
                checks.equal(found, server.tokenize(text, parse_special), f"{text!r}, parse_special {parse_special}")
    checks.finish()


if __name__ == "__main__":
    main()
