"""Seeded damage to bytes and to texts."""

from __future__ import annotations

import random
import re

_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
_TEXTS = (
    "", "nan", "inf", "-1", "0", "1e999", "9" * 400, "null", "true", "[]", "{}", "[" * 3000, '"', "'", ",", "\x00",
    "\x1b[31m", "\n", "\r", "\ufeff", "\u202e", "ü", "\U0001f431", "../../../etc/passwd", "/dev/zero", "C:\\x",
    "%s%n", "${HOME}", "=1+1", "__import__('os').system('x')", "!!python/object/apply:os.system [x]", "&a [*a]",
    "a" * 10_000, "<script>", "1_000", "0x10", "1,5", "NaN", "-Infinity", "1e-400", "--", "-", "~",
)  # fmt: skip


def mutated(content: bytes, rng: random.Random, other: bytes = b"") -> bytes:
    """Return content with one to four kinds of damage; text is damaged at its words half of the time."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = _once(content, rng, other)
    return content


def _once(content: bytes, rng: random.Random, other: bytes) -> bytes:
    if not content:
        return rng.randbytes(rng.randrange(64))
    if rng.random() < 0.5 and _is_text(content):
        return _word(content, rng)
    changed = bytearray(content)
    at = rng.randrange(len(changed))
    # Headers are short, and most of what can go wrong stands in them.
    if rng.random() < 0.6:
        at = min(at, rng.randrange(min(len(changed), 600)))
    size = rng.choice((1, 2, 4, 8))
    match rng.randrange(9):
        case 0:
            changed[at] ^= 1 << rng.randrange(8)
        case 1:
            changed[at] = rng.randrange(256)
        case 2:
            del changed[at:]
        case 3:
            number = rng.choice(_NUMBERS) & ((1 << 8 * size) - 1)
            changed[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))
        case 4:
            changed[at:at] = rng.randbytes(rng.randrange(1, 40))
        case 5:
            del changed[at : at + rng.randrange(1, 40)]
        case 6:
            end = at + rng.randrange(1, 200)
            changed[at:end] = bytes(len(changed[at:end]))
        case 7:
            start = rng.randrange(len(changed))
            changed[at:at] = changed[start : start + rng.randrange(1, 200)]
        case 8:
            start = rng.randrange(len(other) or 1)
            changed[at:] = other[start:]
    return bytes(changed)


def _word(content: bytes, rng: random.Random) -> bytes:
    text = content.decode("utf-8", "replace")
    words = list(re.finditer(r"[\w.+-]+|[^\w\s]", text))
    if not words:
        return content
    word = rng.choice(words)
    new = rng.choice(_TEXTS)
    if rng.random() < 0.15:
        new = word[0] * rng.randrange(2, 50)
    return (text[: word.start()] + new + text[word.end() :]).encode("utf-8", "replace")


def _is_text(content: bytes) -> bool:
    return b"\x00" not in content[:2000]


def nasty_word(rng: random.Random) -> str:
    """Return a word that no option expects."""
    return rng.choice([text for text in _TEXTS if "\x00" not in text])
