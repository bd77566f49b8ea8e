#!/usr/bin/env python3
"""Makes a GGUF that thinks and answers like Gemma 4 out of the random one in tests/data/gemma4, for a real server to serve.

Its layers add nothing, so that a token's logits depend on that token alone: it draws the next token from a table.
It opens a thought, thinks a random number of words, closes it and names a random letter:

    <|channel>thought\\n\\n can with only ...<channel|>The answer is (B).

    talking_model.py OUT.gguf [--broken]      --broken: `<|channel>` is not followed by `thought`; a server can't parse that
"""
import argparse
from pathlib import Path

import gguf
import numpy as np

TINY = Path(__file__).resolve().parents[1] / "data" / "gemma4" / "tiny-q4_k_m.gguf"
THOUGHTS = [" can", " with", " only", " comp", " be", " c"]
LETTERS = ["A", "B", "C", "D"]
END_OF_THOUGHT = 0.12   # after each word
SECOND_SENTENCE = 0.25  # after each answer


def transitions(broken):
    """token -> {next token: probability}."""
    def chain(*tokens):
        return {a: {b: 1.0} for a, b in zip(tokens, tokens[1:])}

    words = {word: (1 - END_OF_THOUGHT) / len(THOUGHTS) for word in THOUGHTS}
    table = chain("\n", "<|channel>", "The" if broken else "th")
    table |= chain("th", "ou", "g", "ht", "\n\n")
    table |= {"\n\n": {word: 1 / len(THOUGHTS) for word in THOUGHTS}}
    table |= {word: {**words, "<channel|>": END_OF_THOUGHT} for word in THOUGHTS}
    table |= chain("<channel|>", "The", " an", "s", "w", "er", " is", " (")
    table |= {" (": {letter: 1 / len(LETTERS) for letter in LETTERS}}
    table |= {letter: {").": 1.0} for letter in LETTERS}
    table |= {").": {"The": SECOND_SENTENCE, "<turn|>": 1 - SECOND_SENTENCE}}
    return table


def weights(table, ids, vocabulary, width):
    """Embeddings and output rows. Known tokens have an axis each, all others share one that leads to "\\n"."""
    known = sorted(set(table) | {token for row in table.values() for token in row})
    assert len(known) < width, "more tokens than axes"
    axis = {ids[token]: number for number, token in enumerate(known)}
    embedding = np.zeros((vocabulary, width), np.float32)
    embedding[:, width - 1] = 1
    for token, number in axis.items():
        embedding[token] = 0
        embedding[token, number] = 1
    # The final norm makes an axis sqrt(width) long. Logits pass 30*tanh(x/30), which atanh takes back.
    def logit(probability):
        return 30 * np.arctanh((12 + np.log(probability)) / 30)

    output = np.zeros((vocabulary, width), np.float32)
    output[:] = -2  # far below every logit of the table
    for token, row in table.items():
        for following, probability in row.items():
            output[ids[following], axis[ids[token]]] = logit(probability) / np.sqrt(width)
    output[ids["\n"], width - 1] = logit(1) / np.sqrt(width)
    return embedding, output


def write(out, broken=False):
    reader = gguf.GGUFReader(TINY)
    vocabulary = reader.fields["tokenizer.ggml.tokens"].contents()
    ids = {token.replace("\u2581", " "): number for number, token in enumerate(vocabulary)}
    width = int(reader.fields["gemma4.embedding_length"].contents())
    embedding, output = weights(transitions(broken), ids, len(vocabulary), width)

    writer = gguf.GGUFWriter(out, "gemma4")
    for field in reader.fields.values():
        if field.name == "general.architecture" or field.name.startswith("GGUF."):
            continue
        value_type = field.types[0]
        element = field.types[-1] if value_type == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), value_type, sub_type=element)
    for tensor in reader.tensors:
        data = np.array(tensor.data)
        if tensor.name == "token_embd.weight":
            writer.add_tensor(tensor.name, embedding)
            continue
        if tensor.name == "output_norm.weight":
            data = np.ones_like(data)
        # What attention and FFNs give is scaled by these before it is added.
        if tensor.name.endswith((".post_attention_norm.weight", ".post_ffw_norm.weight")):
            data = np.zeros_like(data)
        writer.add_tensor(tensor.name, data, raw_dtype=tensor.tensor_type)
    writer.add_tensor("output.weight", output)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--broken", action="store_true")
    arguments = parser.parse_args()
    write(arguments.out, arguments.broken)
