"""Attacks on a running bloop, over loopback and bounded: what they cost, and what they must not be able to do."""
