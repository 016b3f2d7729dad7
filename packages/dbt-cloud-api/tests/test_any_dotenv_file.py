"""Whatever stands in `.env`: all its readers read it alike, or it is refused."""

import re
import subprocess

import pytest
from arbitrary import examples
from hypothesis import example, given
from hypothesis import strategies as st

from dbt_cloud_api.dotenv_file import broken_lines, lines_of, parse_lines, read_dotenv, whole_lines
from dbt_cloud_api.user_error import UserError


CHARACTERS = st.sampled_from("ab1:/?&=#$'\"\\`~*(.;| \t\r\0\x0b\x1b\x85\xa0\u2028") | st.characters(
    codec="utf-8"
)
VALUES = st.text(CHARACTERS, max_size=12)
KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
LINES = st.one_of(
    st.builds("{}={}".format, KEYS, VALUES),
    st.builds("{}{}={}".format, st.sampled_from([" ", "export ", "#", "# "]), KEYS, VALUES),
    VALUES,
)
FILES = st.builds(str.join, st.sampled_from(["\n", "\n", "\r\n"]), st.lists(LINES, max_size=6))
# No name can be like it: wherever it stands in a line, it is no name.
SECRET = "dbtc-S3cr3t/+"
# A shell takes a value with one of them for several words; an address may need them.
SEVERAL_WORDS = re.compile(r"[\s&;|<>()~]")


def docker(text):
    """Read as `docker run --env-file` does (docker/cli, pkg/kvfile): all behind the first `=`."""
    lines = [line.removesuffix("\r").lstrip() for line in text.split("\n")]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {key: value for key, _, value in pairs}


def compose(text):
    """Read as Compose does (compose-go, dotenv), where nothing is quoted: a comment may follow."""
    lines = [line.strip() for line in text.replace("\r\n", "\n").split("\n")]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {key: value.partition(" #")[0].strip() for key, _, value in pairs}


def read(text):
    try:
        return parse_lines(lines_of(text), ".env")
    except UserError:
        return None


@given(FILES)
@example("A=1\x0bB=2")
@example("A=1\u2028B=2")
@example("# a comment\x85B=2")
@example("A=1\rB=2")
def test_every_reader_reads_the_same(text):
    """What is accepted is what Docker and Compose read; each line is whole or broken."""
    settings = read(text)

    whole, broken = whole_lines(lines_of(text), ".env"), broken_lines(lines_of(text), ".env")
    assert (settings is None) == bool(broken)
    if settings is not None:
        assert settings == whole == docker(text) == compose(text)


@given(FILES)
def test_the_file_is_read_as_its_text(tmp_path_factory, text):
    """From a file comes what comes from its text: no line ends elsewhere."""
    file = tmp_path_factory.getbasetemp() / "any.env"
    file.write_bytes(text.encode())
    expected = read(text)

    if expected is None:
        with pytest.raises(UserError):
            read_dotenv(file)
    else:
        assert read_dotenv(file) == expected


@examples(0.05)
@given(st.lists(VALUES.filter(lambda value: not SEVERAL_WORDS.search(value)), max_size=40))
def test_a_shell_reads_the_same(tmp_path_factory, values):
    """What is accepted and one word for a shell has the same value there."""
    lines = [f"A{number}={value}" for number, value in enumerate(values)]
    settings = whole_lines(lines, ".env")
    file = tmp_path_factory.getbasetemp() / "for-a-shell.env"
    file.write_bytes("".join(f"{key}={value}\n" for key, value in settings.items()).encode())
    told = "".join(f'printf "%s\\0" "${key}"; ' for key in settings)
    done = subprocess.run(["sh", "-c", f". {file}; {told}"], capture_output=True, check=True)

    assert done.stdout.decode().split("\0")[:-1] == list(settings.values())


@given(st.lists(VALUES, min_size=2, max_size=4).map(SECRET.join), st.booleans())
@example(f"DBT_CLOUD_API_TOKEN: {SECRET}=", False)
@example(f"{SECRET}==", False)
@example(f"DBT_CLOUD_API_TOKEN\u3000{SECRET}=", False)
def test_a_broken_line_keeps_its_secret(line, named):
    """However a line is broken, its message has nothing of it but the name of a setting."""
    for wrong in broken_lines(lines_of(f"A={line}" if named else line), ".env"):
        assert SECRET not in str(wrong)


@pytest.mark.parametrize("value", ["a\0b", "a\x1b[2Jb", "a\x85b", "a\rb"])
def test_characters_that_nobody_sees(value):
    """A control character is refused: no process can be given a NUL, and nobody sees the others."""
    with pytest.raises(UserError, match=r"line 1 (?s:.)*nobody sees"):
        parse_lines([f"A={value}"], ".env")
