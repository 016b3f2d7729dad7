"""Reads a file of Compose without Docker."""

import yaml


class ComposeLoader(yaml.SafeLoader):
    """Knows the tag by which one file takes away what another has said."""


ComposeLoader.add_constructor("!reset", lambda loader, node: loader.construct_sequence(node))


def read_compose_file(file):
    return yaml.load(file.read_text(), ComposeLoader)  # noqa: S506 # a safe loader and one tag
