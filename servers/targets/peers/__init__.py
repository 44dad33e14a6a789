"""Servers that others wrote, each run by a small program as its own documentation shows one. None knows pollbench.

A program is made to be read: it is what "I have a FastAPI app" means. catalogue.py has what starts it, and its needs.
"""
