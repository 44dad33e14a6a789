"""The command line: a module for each command or family, whose functions are a few lines that call a stage.

This room may see every stage and every room, and only the front door (`pollbench.py`) sees it. Stages that are slow to
import (pandas alone takes half a second) are imported inside of the function that needs them, so that `--help` is fast.
"""
