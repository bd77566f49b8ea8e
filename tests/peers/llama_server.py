#!/usr/bin/env python3
"""Starts a real llama.cpp server (the package xllamacpp, prebuilt for CPUs) with the model card's settings.

    llama_server.py --model X.gguf [--port 8099] [--ctx 8192] [--slots 1] [--budget 8192] [--ubatch N] [--kv f16|f32|q8_0]
                    [--flash-attn on|off]

Prints the address when the model is loaded; ends on SIGTERM, SIGINT, the end of its standard input, or with its parent.
"""
import argparse
import ctypes
import os
import signal
import socket
import sys


def end_with_parent():
    """Linux sends SIGTERM when the parent dies, however it does."""
    pr_set_pdeathsig = 1
    parent = os.getppid()
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent is gone")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--ctx", type=int, default=8192, help="of all slots together")
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--budget", type=int, default=8192, help="reasoning tokens, -1: no limit")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ubatch", type=int, help="tokens computed at a time [512]")
    parser.add_argument("--kv", choices=["f16", "f32", "q8_0"], help="how keys and values are kept [f16]")
    parser.add_argument("--flash-attn", choices=["on", "off"], help="[as the server likes]")
    parser.add_argument("--ignore-stdin", action="store_true", help="the end of the standard input ends nothing")
    args = parser.parse_args()
    end_with_parent()
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = args.model
    params.port = args.port or free_port()
    params.n_ctx, params.n_parallel, params.warmup = args.ctx, args.slots, False
    params.cpuparams.n_threads = args.threads
    if args.ubatch:
        params.n_ubatch = args.ubatch
    if args.kv:
        params.cache_type_k = params.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{args.kv.upper()}")
    if args.flash_attn:
        state = {"on": "ENABLED", "off": "DISABLED"}[args.flash_attn]
        params.flash_attn_type = getattr(xllamacpp.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{state}")
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_DEEPSEEK
    sampling = params.sampling
    sampling.temp, sampling.top_p, sampling.top_k, sampling.dry_multiplier = 1.0, 0.95, 64, 0.5
    sampling.reasoning_budget_tokens = args.budget
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        if args.ignore_stdin:
            signal.pause()
        else:
            while sys.stdin.buffer.read(4096):
                pass
    except KeyboardInterrupt:
        pass
    os._exit(0)  # the server's threads would be waited for


if __name__ == "__main__":
    main()
