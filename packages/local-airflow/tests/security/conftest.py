"""What the tests of security share: a stack in which a secret was put wherever one can be."""

from security.planted import account, must_be_root, open_folder, searched


__all__ = ["account", "must_be_root", "open_folder", "searched"]
