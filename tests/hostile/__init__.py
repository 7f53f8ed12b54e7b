"""Clients that mean harm, against a bloop of their own on loopback."""
