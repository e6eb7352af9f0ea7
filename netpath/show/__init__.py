"""Showing: text for a terminal, JSON for programs, figures for the book. Nothing here decides anything.

Importing `netpath.show` loads no plotting; `netpath.show.figures` does, when it draws.
"""
