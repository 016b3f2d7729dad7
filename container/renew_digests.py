"""
Pin the images and actions that this repository starts from to what their tags mean today.

    python3 container/renew_digests.py

An image becomes NAME:TAG@sha256:…, an action OWNER/NAME@<commit> # TAG, in the files themselves, so
that nothing else can be delivered under the same name. Asks the registries through `docker buildx`
and GitHub through `git`. What cannot be asked for stays as it is and is named; then it ends with 1.

Astro's image stays a tag: `astro dev` without Docker reads the version off the first FROM.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = "Dockerfile"
COMPOSE = ("docker-compose.yaml", "compose.celery.yaml")
WORKFLOWS = ".github/workflows"
ASTRO = "astrocrpublic.azurecr.io/runtime"
SECONDS = 60

# A stage of the Dockerfile has no tag, an image that is built here has a variable in its name.
FROM = re.compile(r"^(?P<before>FROM )(?P<name>[^\s@$]+:[^\s@$]+)(?:@sha256:\w+)?", re.MULTILINE)
IMAGE = re.compile(
    r"^(?P<before> +image: )(?P<name>[^\s@$&*]+:[^\s@$]+)(?:@sha256:\w+)?$", re.MULTILINE
)
ACTION = re.compile(
    r"(?P<before>uses: )(?P<name>[\w.-]+/[\w.-]+)@(?:(?P<tag>v[\w.]+)|\w{40} # (?P<pinned>\S+))$",
    re.MULTILINE,
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
COMMIT = re.compile(r"^([0-9a-f]{40})\t", re.MULTILINE)


class NoAnswerError(Exception):
    """A registry or GitHub does not say what a tag means."""


def ask(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAnswerError(str(error)) from None
    if done.returncode:
        raise NoAnswerError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return done.stdout


@cache
def digest_of(image: str) -> str:
    """Ask for the digest of the list of all processors' images, where a tag means one."""
    inspect = ("docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}")
    found = DIGEST.fullmatch(ask(*inspect, image).strip())
    if found is None:
        raise NoAnswerError("the answer is no digest")
    return found[0]


@cache
def commit_of(action: str, tag: str) -> str:
    # Of a tag that is an object of its own, ^{} is the commit, and it is listed last.
    names = (f"refs/tags/{tag}", f"refs/tags/{tag}^{{}}")
    found = COMMIT.findall(ask("git", "ls-remote", f"https://github.com/{action}", *names))
    if not found:
        raise NoAnswerError(f"it has no tag {tag}")
    return str(found[-1])


def pinned_image(found: re.Match[str]) -> str:
    return f"{found['before']}{found['name']}@{digest_of(found['name'])}"


def pinned_action(found: re.Match[str]) -> str:
    tag = found["tag"] or found["pinned"]
    return f"{found['before']}{found['name']}@{commit_of(found['name'], tag)} # {tag}"


def files() -> Iterator[tuple[Path, re.Pattern[str], Callable[[re.Match[str]], str]]]:
    yield ROOT / DOCKERFILE, FROM, pinned_image
    yield from ((ROOT / name, IMAGE, pinned_image) for name in COMPOSE)
    yield from ((file, ACTION, pinned_action) for file in sorted((ROOT / WORKFLOWS).glob("*.y*ml")))


def main() -> int:
    unanswered: dict[str, str] = {}

    def pin_or_keep(pin: Callable[[re.Match[str]], str], found: re.Match[str]) -> str:
        if found["name"].startswith(ASTRO):
            return found[0]
        try:
            return pin(found)
        except NoAnswerError as error:
            unanswered[found["name"]] = str(error)
            return found[0]

    for file, pattern, pin in files():
        before = file.read_text(encoding="utf-8")
        after = pattern.sub(partial(pin_or_keep, pin), before)
        if after != before:
            file.write_text(after, encoding="utf-8")
            print(f"renewed {file.relative_to(ROOT)}")
    for name, why in unanswered.items():
        print(f"error: {name} is as it was: {why}", file=sys.stderr)
    return 1 if unanswered else 0


if __name__ == "__main__":
    sys.exit(main())
