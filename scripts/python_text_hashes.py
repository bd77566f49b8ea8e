#!/usr/bin/env python3.11
"""Prints the hashes in tests/scoring/python_text_test.cpp: what Python 3.11 makes of every code point."""
import hashlib
import unicodedata

CODES = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def show(name, f):
    print(name, hashlib.sha256("".join(map(f, CODES)).encode()).hexdigest())


show("lower", str.lower)
show("both", lambda c: ("a" + c + "\u03a3" + c + "b").lower())
show("after", lambda c: ("a\u03a3" + c).lower())
show("before", lambda c: (c + "\u03a3").lower())
show("punctuation", lambda c: "" if unicodedata.category(c).startswith("P") else c)
