#!/usr/bin/env python3
"""Check a draw by yourself: `python3 check_draw.py draw.json [the SHA-256 you noted before] [your own entry]`.

Save the file from the draw's page ("Everything needed to check it"). This script needs nothing but Python and none of
Foyer's code. It computes the hash of the seed and every rank again, and says what is not as it was told. Your entry
stands on the page of your order; with it you also know that you were not left out.

    rank = order of HMAC-SHA256(key = the seed's bytes, message = the entry as it is written)
"""

import hashlib
import hmac
import json
import sys


def check(draw, *noted):
    """Return a list of what is wrong with a published draw; an empty list when all of it is right. What was `noted` is
    the hash of the seed (64 letters) or an entry."""
    wrong = []
    if not isinstance(draw, dict) or draw.get("format") != "foyer-draw-1":
        return ["this is not a published draw of the format foyer-draw-1"]
    if not draw.get("drawn_at"):
        return ["the draw was not held yet: come back after " + str(draw.get("closes_at"))]
    try:
        seed = bytes.fromhex(draw["seed"])
        promised = str(draw["seed_sha256"]).lower()
        told = [(int(entry["rank"]), str(entry["entry"])) for entry in draw["entries"]]
        number = int(draw["number"])
    except (KeyError, TypeError, ValueError) as error:
        return ["the file cannot be read: " + repr(error)]
    found_hash = hashlib.sha256(seed).hexdigest()
    if found_hash != promised:
        wrong.append("the seed has the SHA-256 " + found_hash + ", not the one that was published")
    entries = [entry for _rank, entry in told]
    for word in (word.strip().lower() for word in noted):
        if len(word) == 64 and word != found_hash:
            wrong.append("the seed is not the one whose SHA-256 you noted before the draw")
        if len(word) != 64 and word not in entries:
            wrong.append("your entry " + word + " is not in the list")
    if len(entries) != number:
        wrong.append(f"{number} entries were drawn, and {len(entries)} are listed")
    if len(set(entries)) != len(entries):
        wrong.append("an entry is listed twice")
    drawn = sorted(entries, key=lambda entry: hmac.new(seed, entry.encode(), hashlib.sha256).digest())
    rank_of = {entry: place for place, entry in enumerate(drawn, start=1)}
    for rank, entry in told:
        if rank_of[entry] != rank:
            wrong.append(f"entry {entry} should have rank {rank_of[entry]}, not {rank}")
            break
    return wrong


def main(arguments):
    if len(arguments) not in (1, 2, 3):
        print(__doc__)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            draw = json.load(file)
    except (OSError, ValueError) as error:
        print("The file cannot be read:", error)
        return 2
    wrong = check(draw, *arguments[1:])
    for sentence in wrong:
        print("WRONG:", sentence)
    if not wrong:
        print("RIGHT: all", len(draw["entries"]), "ranks follow from the seed that was promised.")
        print("The draw's page must name the same number of entries.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
