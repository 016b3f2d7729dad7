"""A clone of this repository in which somebody follows the guide from its first line on."""

import shutil
import subprocess
import sys

from native_stack import Stack
from repository_copy import copy_with_environments


class Clone:
    """
    The commands of the guide may write files, spoil some, and take them back: only in here.

    What is installed is shared; data, settings and ports are its own.
    """

    def __init__(self, folder):
        self.folder = folder / "clone"
        self._copy()
        self.stack = Stack(folder, self.folder)
        shutil.copy(self.stack.env_file, self.folder / ".env")

    def _copy(self):
        copy_with_environments(self.folder)
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        commit = [*identity, "commit", "--quiet", "--message", "cloned"]
        for command in (["init", "--quiet", "--initial-branch=main"], ["add", "--all"], commit):
            subprocess.run(["git", *command], cwd=self.folder, check=True)
        # A link is no folder, which is what .gitignore names.
        (self.folder / ".git/info/exclude").write_text(".local\n")

    def type(self, lines):
        """Run lines as they are typed into a shell; gives everything that they print."""
        more = {"PYTHON": sys.executable, "LOCAL_ENV_FILE": str(self.folder / ".env")}
        # A browser that is content with every address.
        environment = self.stack.process_environment(BROWSER="true", **more)
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
