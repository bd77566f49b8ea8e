"""An invented gpqa_diamond.csv whose rows go where CSV readers, pandas and text rules differ. The same for the same seed."""
import csv
import random
from pathlib import Path

NULLS = ["", "NA", "N/A", "nan", "NaN", "null", "None", "<NA>", "#N/A", "n/a", "-nan", "1.#IND"]
ODD = ["  two  spaces   three", " [title] of a book", "x [note] y", "a[b [c] d]e", "\"quoted\", with comma", "line\nbreak",
       "cr\r\nlf in a cell", "\ttab\t", " no-break\u00a0space\u2003", "İstanbul ΣΑΣ ß ﬁ", "日本語，全角。", "🙂 emoji 👩‍🔬",
       "$\\frac{1}{2}$ \\(x^2\\)", "(A)", "The answer is (B).", "...", "—", "1e5", "007", "-0.0", "True", "é e\u0301", "a\u2028b",
       "<b>&amp;</b>", "{{Question}}", "{% raw %}", "'single'", "trailing space ", "0x1F", "+12", "1,000", "∞", "\ufeffbom", "Nan", "null "]
PLAIN = ["42 J", "3.5 eV", "benzene", "the second one", "pH = 7", "none of these", "1/64", "-12", "10^-4 M", "a quark"]


def _text(draw):
    kind = draw.random()
    if kind < 0.1:
        return draw.choice(NULLS)
    if kind < 0.6:
        return draw.choice(ODD) + draw.choice(["", " ", "\n", " " + draw.choice(PLAIN)])
    return draw.choice(PLAIN)


def _questionnaire(draw, column):
    kinds = {
        "minutes": ["12", "7", "30", "", "NA"],
        "Accuracy": ["0.333", "1", "0", "0.5"],
        "Correctly_EV_1": ["0", "1"],
        "First Validation": ["True", "False", "TRUE", "false"],
        "Probability": ["0.9", "", "85%", "1e-3"],
        "Difficulty": ["Hard", "Post-graduate level", ""],
    }
    for part, values in kinds.items():
        if part in column:
            return draw.choice(values)
    return draw.choice(["", "", "", "words", draw.choice(ODD)])


def write_nasty_csv(path, columns, seed, rows=80):
    draw = random.Random(seed)
    records = []
    for row in range(rows):
        record = {column: _questionnaire(draw, column) for column in columns}
        choices = [_text(draw) for _ in range(4)]
        if draw.random() < 0.15:  # equal choices: the first one is gold
            choices[draw.randrange(1, 4)] = choices[0]
        record["Question"] = _text(draw) + " Q" + str(row) + _text(draw) if draw.random() < 0.95 else draw.choice(NULLS)
        record["Correct Answer"], *wrong = choices
        for number, text in enumerate(wrong, 1):
            record[f"Incorrect Answer {number}"] = text
        record["Record ID"] = f"recNASTY{row:04}"
        record["High-level domain"] = draw.choice(["Physics", "Chemistry", "Biology"])
        record["Subdomain"] = draw.choice(["Genetics", "Optics", ""])
        records.append(record)
    with Path(path).open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, columns, quoting=draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
                                lineterminator=draw.choice(["\n", "\r\n"]))
        writer.writeheader()
        writer.writerows(records)
    return path
