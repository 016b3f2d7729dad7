"""Reads YAML of which every mistake is told with its line."""

from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode


# Both are safe; the first is written in C, and not everywhere.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[misc] # its base depends on how PyYAML was built
    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # PyYAML lets a 13th month through as whatever Python makes of it.
            said = f"this cannot be read: {error}"
            raise ConstructorError(None, None, said, node.start_mark) from None


def read_yaml(content: bytes) -> Any:
    """
    Read one document. Raises `yaml.YAMLError`, whose text names line and column.

    A key that stands twice in one place is a mistake: YAML forbids it, and PyYAML would drop the
    first of the two without a word.
    """
    loader = _Loader(content)
    try:
        document = loader.get_single_node()
        if document is None:
            return None
        _refuse_keys_that_stand_twice(document)
        return loader.construct_document(document)
    finally:
        loader.dispose()


def _refuse_keys_that_stand_twice(document: Node) -> None:
    left, seen = [document], set[int]()
    while left:
        node = left.pop()
        # By `*name` a node stands in several places, and may even stand in itself.
        if isinstance(node, ScalarNode) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            _refuse_twice([key for key, _ in node.value])
            left += [each for pair in node.value for each in pair]
        else:
            left += node.value


def _refuse_twice(keys: list[Node]) -> None:
    known = set[tuple[str, str]]()
    for key in keys:
        if not isinstance(key, ScalarNode):
            continue
        if (key.tag, key.value) in known:
            said = f"{key.value} stands there twice"
            raise ConstructorError(None, None, said, key.start_mark)
        known.add((key.tag, key.value))
