"""Corpora, and how a text or a sequence of features becomes numbers."""
