"""Distributions of the next token, as rows of log probabilities [positions, vocabulary]: how far two sets are apart."""
import numpy as np


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def kl(p, q):
    """Of each row of log probabilities."""
    return (np.exp(p) * (p - q)).sum(-1)


def mean_kl(p, q):
    return float(kl(p, q).mean())


def standard_errors(differences):
    """How many of them the mean of the differences is above 0."""
    mean = differences.mean()
    return float(mean / (differences.std(ddof=1) / len(differences) ** 0.5)) if mean else 0.0


def agreement(p, q):
    return float((p.argmax(-1) == q.argmax(-1)).mean())


def spread(length, count):
    """At most `count` positions from the first to the last of a sequence, as lengths of what is read before them."""
    return sorted({1 + round(i * (length - 1) / (count - 1)) for i in range(count)})


def most_moved_margin(rows):
    """How far two settings move the distance of a position's two best tokens, at most."""
    most = 0.0
    for a in rows:
        best = np.argsort(a, axis=-1)[:, -2:]
        margin = np.diff(np.take_along_axis(a, best, -1), axis=-1)
        most = max([most] + [float(np.abs(margin - np.diff(np.take_along_axis(b, best, -1), axis=-1)).max()) for b in rows])
    return most
