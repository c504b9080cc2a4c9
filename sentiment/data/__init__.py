"""Corpora, and how texts and features become numbers."""
