"""
Mask what looks like a secret, for what nobody told us of: it rather masks too much.

A log may hold what a stranger has sent, so each pattern reads a text once: it begins where a word
begins and gives back nothing that it has read (`*+`). Otherwise a word of a million letters would
be read from each of them.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

from dbt_cloud_api.notification_urls import ON_THIS_MACHINE


MASK = "***"

TELLING = (
    r"passw(?:or)?d|passphrase|passcode|pwd|secret|token|credential|fernet|jwt|signature|hmac|"
    r"(?:api|private|access|account|signing|encryption|master|ssh)[_-]?key|\bsig\b|\bdsn\b|"
    r"webhook_?url|notification_?url"
)
# Of settings it is known that no sentence has them on its left side.
SETTING_NAME = re.compile(
    rf"{TELLING}|passw|_conn\b|_conn_|sql_alchemy|auth(?!or|_manager|_enabled)|webhook|"
    r"notification",
    re.IGNORECASE,
)

# As programs write it into JSON, also JSON in JSON, into pages and into addresses.
QUOTE = r"(?:\\*+[\"']|&quot;|&#3[49];|%2[27])"
QUOTED = rf"[bBrRuU]?(?P<quote>{QUOTE})(?:(?!(?<!\\)(?P=quote))[^\n])*+(?:(?P=quote))?"
# A comma and its like belong to the value unless the next name or nothing follows.
BARE = r"(?:[^\s,;&}\])<>\"']|[,;&}\])\"'](?=\w)(?![\w.-]*+\s*+[=:]))++"
# The lines below `password: |` of YAML.
BLOCK = r"[|>][+-]?[ \t]*+\n(?:[ \t]++[^\n]*+\n?)++"
# What names a secret, and is none.
NAMES_ANOTHER = r"(?<!_id)(?<!_ids)(?<!_file)(?<!_type)"
NAME = rf"(?P<name>(?<![\w.-])(?=[\w.-]*(?:{TELLING}))[\w.-]++{NAMES_ANOTHER})"
BETWEEN = (
    rf"(?P<between>(?:{QUOTE})?\]?(?:[ \t]|%20)*+(?:=>|:|=(?!=)|>|%3[AaDd])(?:[ \t+]|%20)*+"
    rf"(?:(?<=:)\r?\n[ \t]++)?|[ \t]++(?={QUOTE}))"
)
NAMED_VALUE = re.compile(rf"{NAME}{BETWEEN}(?P<value>{QUOTED}|{BLOCK}|{BARE})", re.IGNORECASE)
OPTION = re.compile(
    rf"(?P<name>(?<![\w.-])--(?=[\w.-]*(?:{TELLING}))[\w.-]++|\bidentified[ \t]++by)"
    rf"(?P<between>[ \t]++)(?P<value>{QUOTED}|{BARE})",
    re.IGNORECASE,
)
# To the end of the line: Digest and cookies are pairs, some of them in quotes.
HEADER = re.compile(
    rf"(?P<name>(?<![\w-])(?=[\w-]*(?:authorization|cookie|x-auth))[\w-]++)"
    rf"(?P<between>(?:{QUOTE})?\s*+[:=]\s*+)"
    rf"(?P<value>{QUOTED}|(?:[^\n\"'\\]|(?<==)\\*+[\"'][^\"'\n]*+[\"']?)++)",
    re.IGNORECASE,
)

# A narrow terminal, and a log of it, breaks a token anywhere; a line of a log begins with a date.
BROKEN = r"(?:\r?\n[ \t]*+(?!\d{4}-)(?=[\w=.-]*[A-Za-z])(?=[\w=.-]*\d)[\w=.-]++)?"
MADE_BY_A_SERVICE = re.compile(
    r"(?P<make>dbt[cu]_|gh[pousr]_|github_pat_|gl(?:pat|sa|ptt|rt|dt|cbt)[-_]|xox[a-z]-|xapp-|"
    r"sk-(?:proj-|ant-)?|[rs]k_(?:live|test)_|whsec_|npm_|pypi-|SG\.|hf_|ya29\.|dapi|hv[sb]\.|"
    r"dckr_pat_|shpat_|do[opr]_v1_|AIza|GOCSPX-|gAAAAA|eyJ)"
    rf"(?=[\w+/=.-]{{16}}|(?<=_)[\w=.-]{{6}})[\w+/=.-]++{BROKEN}"
)
PATTERNS = (
    # curl
    (
        re.compile(r"(?<!\S)(?P<login>(?:-u|--(?:proxy-)?user)[ =][\"']?[^\s:\"']++:)[^\s\"']++"),
        rf"\g<login>{MASK}",
    ),
    (re.compile(r"\b(?P<make>Basic|Bearer|Token)\s++[A-Za-z0-9+/=._~-]{8,}+"), rf"\g<make> {MASK}"),
    # AWS
    (re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}"), MASK),
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?"
            r"(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
            re.DOTALL,
        ),
        MASK,
    ),
    # of a log that was cut in the middle of a key
    (re.compile(r"\A.{0,8000}?-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----", re.DOTALL), MASK),
)

ADDRESS = re.compile(
    r"(?P<scheme>(?<![\w+.-])[\w+.-]++)(?P<mark>:(?:\\?/){2})(?P<rest>[^\s'\"<>]++)"
)
CODED_ADDRESS = re.compile(r"(?<![\w+.-])[\w+.-]++%3A%2F%2F[\w%.~+-]++", re.IGNORECASE)
# Of these it is known where a secret stands; in others, such as those of Apprise, anywhere.
READABLE_SCHEME = re.compile(
    r"n?https?|file|wss?|tcp|unix|ssh|git(?:\+\w+)?|s3a?|gs|abfss?|wasbs?|s?ftp|rediss?|valkey|"
    r"amqps?|(?:db\+)?(?:postgres(?:ql)?|mysql|mariadb|mssql|sqlite|snowflake|bigquery|redshift|"
    r"duckdb|oracle)(?:\+\w+)?",
    re.IGNORECASE,
)
LOGIN = re.compile(r"(?P<name>[^/@:]*+)(?P<password>:.*)?@(?=[\w\[])")
LONGEST_LOGIN_NAME = 20
PARAMETER = re.compile(r"(?P<before>[?&;](?P<name>[\w.+%\[\]-]*+)=)(?P<value>[^\s&;#\"'<>]++)")
OPENING_PARAMETER = re.compile(
    r"[+-]|.*?(?:sig|key|code|hash|auth|pass|pwd|secret|token)", re.IGNORECASE
)
BOT = re.compile(r"bot\d+:.+")

DIGIT_BY_LETTER = re.compile(r"(?<=[A-Za-z])\d|(?<=\d)[A-Za-z]")
# The shortest part of an address that can open something.
MIXED = 12
WORD = re.compile(r"(?<![\w+/=-])[\w+/=-]{20,}+")
# Where letters change their kind, but for the beginning of a word as in TwoWords.
JOINT = re.compile(
    r"(?<=[a-z])(?=[A-Z](?![a-z]{2})|[0-9])|(?<=[0-9])(?=[A-Za-z])|"
    r"(?<=[A-Z])(?=[0-9])|(?<=[A-Z][A-Z])(?=[a-z])"
)
FEWEST_JOINTS, LETTERS_A_JOINT = 5, 6


def is_secret_name(name: str) -> bool:
    # Every shell keeps its folder in these two.
    return name not in {"PWD", "OLDPWD"} and bool(SETTING_NAME.search(name))


def mask_lookalikes(text: str) -> str:
    for pattern in (HEADER, NAMED_VALUE, OPTION):
        text = pattern.sub(_mask_value, text)
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    text = MADE_BY_A_SERVICE.sub(_mask_made, text)
    text = CODED_ADDRESS.sub(_mask_coded_address, text)
    text = ADDRESS.sub(_mask_address, text)
    text = PARAMETER.sub(_mask_parameter, text)
    return WORD.sub(_mask_if(_is_random), text)


def _mask_value(found: re.Match[str]) -> str:
    value = found["value"]
    quote = found["quote"] or ""
    # Words of a setting tell more than they give away.
    if value.strip("\\\"'").lower() in {"", "none", "null", "true", "false", MASK}:
        return found[0]
    return f"{found['name']}{found['between']}{quote}{MASK}{quote}"


def _mask_made(found: re.Match[str]) -> str:
    return f"{found['make']}{MASK}" if found["make"].startswith("dbt") else MASK


def _mask_coded_address(found: re.Match[str]) -> str:
    plain = unquote(found[0])
    return found[0] if mask_lookalikes(plain) == plain else MASK


def _mask_address(found: re.Match[str]) -> str:
    """Leave of an address what helps: where it leads to, and the way, without what opens it."""
    rest = found["rest"]
    start = found["scheme"] + found["mark"]
    if not READABLE_SCHEME.fullmatch(found["scheme"]):
        return f"{start}{MASK}"
    login = LOGIN.match(rest)
    if login:
        rest = rest[login.end() :]
        start += _mask_login(login)
    if ON_THIS_MACHINE.match(rest):
        return f"{start}{rest}"
    place, mark, query = rest.partition("?")
    return f"{start}{_mask_path(place)}{mark}{query}"


def _mask_login(login: re.Match[str]) -> str:
    name, password = login["name"], login["password"] or ""
    # Git services take a token in place of the name.
    is_token = not password or password.startswith(":x-") or len(name) > LONGEST_LOGIN_NAME
    return f"{MASK if is_token else name}{f':{MASK}' if password else ''}@"


def _mask_path(place: str) -> str:
    host, *segments = place.split("/")
    shown = [host, *(MASK if _opens(each) else each for each in segments)]
    hook = next((n for n, each in enumerate(shown, 1) if "hook" in each.lower()), len(shown))
    # hooks.slack.com, /api/webhooks, webhook.office.com: whoever knows the rest may write there.
    return "/".join([*shown[:hook], *([MASK] if any(shown[hook:]) else [])])


def _opens(segment: str) -> bool:
    return _is_mixed(segment) or bool(BOT.match(segment))


def _mask_parameter(found: re.Match[str]) -> str:
    is_secret = OPENING_PARAMETER.match(found["name"]) or _is_mixed(found["value"])
    return f"{found['before']}{MASK}" if is_secret else found[0]


def _mask_if(is_secret: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
    return lambda found: MASK if is_secret(found[0]) else found[0]


def _is_mixed(text: str) -> bool:
    """Tell letters and digits in one word from a word, a number, a version and a date."""
    return len(text) >= MIXED and len(DIGIT_BY_LETTER.findall(text)) > 1


def _is_random(word: str) -> bool:
    """Tell whether nobody would choose the word: capitals, small letters and digits throughout."""
    # A commit and an id have no capitals, also where they are part of a path.
    parts = [part for part in word.split("/") if re.search("[A-Z]", part)]
    joints = sum(len(JOINT.findall(part)) for part in parts)
    is_dense = joints >= max(FEWEST_JOINTS, len(word) // LETTERS_A_JOINT)
    return is_dense and bool(re.search("[a-z]", word))
