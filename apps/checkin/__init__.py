"""The door: who may come in, who already did, and what the volunteer sees.

A ticket is let in by `scans.admit`; being inside is what the scans of a list add up to. What a code on a phone, a card
or a wristband stands for is asked of the readers in `extensions`.
"""
