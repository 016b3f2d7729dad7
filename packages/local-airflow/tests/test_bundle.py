"""
`make bundle` packs everything that helps, and no secret.

Secrets are planted wherever a user could have one; then the zip is read as a thief would.
"""

import base64
import json
import re
import ssl
import zipfile
from contextlib import ExitStack
from urllib.parse import quote

import httpx
import pytest
from native_stack import Stack, wait_for
from repository_copy import ROOT

from local_airflow.bundle.lookalikes import MASK
from local_airflow.bundle.masking import Masker
from local_airflow.stack.airflow_api import AirflowApi


ACCOUNT, JOB = 70403103900001, 70403103900101

# Each is planted in the place that its name says. None is alike another, so that a find tells
# where it came from.
PLANTED = {
    "shell variable": "Plant1/shell+variable&9",
    "proxy login": "plant2:proxy@login7",
    "env file": "plant3-of-the-env-file-5",
    "unknown setting": "plant4-of-an-unknown-setting",
    "log": "plant5pwinalog",
    "dag": "plant6-raised-by-a-dag-8",
    "connection": "plant7-of-another-connection",
    "extra of a connection": "plant8privatekeyplant8privatekey",
    "variable": "plant9-of-a-variable-of-airflow",
    "artifact": "dbtc_plant0of0an0artifact0000000",
}


@pytest.fixture
def opened(tmp_path):
    """Run the command; gives the texts of the zip by their names, and removes it."""
    made = []

    def run(stack, **more):
        done = stack.make("bundle", **more)
        assert done.returncode == 0, done.stdout + done.stderr
        file = stack.root / re.search(r"wrote (\S+\.zip)", done.stdout)[1]
        made.append(file)
        assert file.stat().st_mode & 0o777 == 0o600
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}

    yield run
    for file in made:
        file.unlink()


def plain_forms(secret):
    """A secret as a reader would recognise it: as it is, and in the common ways to write it."""
    coded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {secret, quote(secret, safe=""), coded[:-2], json.dumps(secret)[1:-1]}


@pytest.fixture
def planted(running_stack):
    """The running stack with a secret in every place; what was planted is taken out again."""
    airflow = AirflowApi(running_stack.airflow_url, "admin", running_stack.admin_password)
    settings = running_stack.env_file.read_text()
    log, dag = (
        running_stack.state / "logs/planted.log",
        running_stack.root / "dags/planted_by_a_test.py",
    )
    with ExitStack() as cleanup:
        for path, body in things_in_airflow().items():
            airflow.post(path, body)
            cleanup.callback(airflow.request, "DELETE", f"{path}/{next(iter(body.values()))}")
        cleanup.callback(running_stack.env_file.write_text, settings)
        running_stack.env_file.write_text(settings + env_lines())
        cleanup.callback(log.unlink)
        log.write_text(log_of_somebody(running_stack))
        # Whoever looks at the stack next finds no trace of it.
        errors = "/api/v2/importErrors"
        cleanup.callback(wait_for, lambda: not airflow.get(errors)["import_errors"])
        cleanup.callback(dag.unlink)
        address = f"mysql://me:{PLANTED['dag']}@example.com"
        dag.write_text(f"from airflow.sdk import dag\nraise ValueError('no way to {address}')\n")
        plant_in_artifact(running_stack)
        wait_for(lambda: airflow.get(errors)["import_errors"])
        yield running_stack


class TestNothingLeaks:
    def test_no_planted_secret_and_none_of_the_clone(self, planted, opened):
        """No secret is in the zip, in no form, and what helps is."""
        texts = opened(planted, **shell())
        own = {f"own {number}": text for number, text in enumerate(planted.secrets())}
        found = {
            (place, name)
            for place, secret in {**PLANTED, **own}.items()
            for form in plain_forms(secret.strip())
            for name, text in texts.items()
            if form in text or form in re.sub(r"\n[ \t]*", "", text)
        }

        assert found == set()
        assert "-----BEGIN" not in "".join(texts.values())
        assert "planted" in texts["airflow/connections.json"]
        assert "a line that helps" in texts["logs/planted.log"]
        assert f"mysql://me:{MASK}@example.com" in texts["airflow/importErrors.json"]
        assert f"connecting with dbtc_{MASK}" in texts["dbt_cloud/run_results.json"]
        assert f"MY_TOKEN={MASK}" in texts["settings.txt"]


def things_in_airflow():
    return {
        "/api/v2/connections": connection(),
        "/api/v2/variables": {"key": "api_password", "value": PLANTED["variable"]},
    }


def plant_in_artifact(stack):
    """Run a model in the local dbt Cloud, and put a token into what dbt wrote about it."""
    api = httpx.Client(
        base_url=f"https://localhost:{stack.ports['LOCAL_DBT_CLOUD_PORT']}/api/v2/accounts/{ACCOUNT}",
        verify=ssl.create_default_context(cafile=str(stack.state / "tls/ca.pem")),
        headers={"Authorization": f"Token {token_of(stack)}"},
        trust_env=False,
    )
    with api:
        body = {"cause": "a test", "steps_override": ["dbt run --select stg_airlines"]}
        run = api.post(f"/jobs/{JOB}/run/", json=body).json()["data"]["id"]
        wait_for(lambda: api.get(f"/runs/{run}/").json()["data"]["is_complete"])
    written = [
        file
        for file in (stack.state / "dbt_cloud").rglob("run_results.json")
        if str(run) in str(file)
    ]
    assert written
    for file in written:
        results = json.loads(file.read_text())
        results["results"][0]["message"] = f"connecting with {PLANTED['artifact']} failed"
        file.write_text(json.dumps(results))


def token_of(stack):
    return (stack.state / "secrets/local_dbt_cloud_token").read_text().strip()


def connection():
    extra = {"private_key": PLANTED["extra of a connection"], "note": "kept"}
    return {
        "connection_id": "planted",
        "conn_type": "http",
        "host": f"https://user:{PLANTED['connection']}@example.com",
        "password": PLANTED["connection"],
        "extra": json.dumps(extra),
    }


def env_lines():
    return (
        f"AIRFLOW__SMTP__SMTP_PASSWORD={PLANTED['env file']}\n"
        f"MY_TOKEN={PLANTED['unknown setting']}\n"
    )


def shell():
    """The process environment of whoever calls the command."""
    user, _, password = PLANTED["proxy login"].partition(":")
    return {
        "MY_PASSWORD": PLANTED["shell variable"],
        "HTTPS_PROXY": f"http://{quote(user)}:{quote(password, safe='')}@127.0.0.1:9",
        "AIRFLOW_CONN_OTHER": f"http://:{PLANTED['shell variable']}@example.com",
    }


def log_of_somebody(stack):
    """A log as careless programs write it: every form, and broken over lines."""
    token = token_of(stack)
    basic = base64.b64encode(f"me:{PLANTED['env file']}".encode()).decode()
    variable = PLANTED["shell variable"]
    return "\n".join(
        [
            "a line that helps",
            f"headers={{'Authorization': 'Token {token}'}}",
            f"curl -H 'Authorization: Basic {basic}'",
            f"password={PLANTED['log']}",
            f'{{"db_password": "{PLANTED["log"]}", "rows": 5}}',
            f"GET https://example.com/?key={quote(variable, safe='')}",
            f"secret in base64: {base64.b64encode(variable.encode()).decode()}",
            f"broken over two lines: {token[:20]}",
            f"    {token[20:]}",
            f"api_key: {PLANTED['dag']}",
            "-----BEGIN PRIVATE KEY-----",
            base64.b64encode(PLANTED["extra of a connection"].encode()).decode(),
            "-----END PRIVATE KEY-----",
        ]
    )


class TestMasking:
    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("postgresql://airflow:pw@host:5432/db", f"postgresql://airflow:{MASK}@host:5432/db"),
            ("https://token@example.com/", f"https://{MASK}@example.com/"),
            ("redis://:pw/with@signs@host", f"redis://:{MASK}@host"),
            ("password: 'two words', user: me", f"password: '{MASK}', user: me"),
            ('{"api_key": "a\\"b", "n": 1}', f'{{"api_key": "{MASK}", "n": 1}}'),
            ('"{\\"token\\": \\"abc\\"}"', f'"{{\\"token\\": \\"{MASK}\\"}}"'),
            ("Authorization: Bearer abc.def", f"Authorization: {MASK}"),
            ("dbtu_abcdefghijkl", f"dbtu_{MASK}"),
            ("AIRFLOW__CORE__FERNET_KEY=abc", f"AIRFLOW__CORE__FERNET_KEY={MASK}"),
            ("gAAAAABmabcdefghijklmnopqrstuv", MASK),
            ("told slack://TokenA/TokenB/TokenC of it", f"told slack://{MASK} of it"),
            ("tgram://123:abc/1", f"tgram://{MASK}"),
            ("https://example.com/?a=1&sig=letmein", f"https://example.com/?a=1&sig={MASK}"),
            ("https://example.com/?+X-Key=letmein", f"https://example.com/?+X-Key={MASK}"),
            ("https://example.com/hook/9a8b7c6d5e4f3a2b", f"https://example.com/hook/{MASK}"),
            ("1https://user:pw@host/", f"1https://{MASK}"),
            ("token='cut off in the mid", f"token='{MASK}'"),
            ("it was aB3dE5fG7hI9jK1lM3nO5 then", f"it was {MASK} then"),
            ("it was wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", f"it was {MASK}"),
            ("it was QWxhZGRpbjpvcGVuIHNlc2FtZTEy", f"it was {MASK}"),
            (json.dumps(json.dumps({"token": 'a"b c'})), rf'"{{\"token\": \"{MASK}\"}}"'),
            (r'"{\\\"token\\\": \\\"abc\\\"}"', rf'"{{\\\"token\\\": \\\"{MASK}\\\"}}"'),
            ("%22token%22%3A+%22abc%22", f"%22token%22%3A+%22{MASK}%22"),
            ("&quot;token&quot;: &quot;abc&quot;", f"&quot;token&quot;: &quot;{MASK}&quot;"),
            ("<token>abc</token>", f"<token>{MASK}</token>"),
            ("headers['x-token'] = 'abc'", f"headers['x-token'] = '{MASK}'"),
            ("password=ab,cd&ef, user=me", f"password={MASK}, user=me"),
            ("password=ab,user=me", f"password={MASK},user=me"),
            ("password:\n  abc", f"password:\n  {MASK}"),
            (
                "key:\n  private_key: |\n    abc\n    def\nuser: me",
                f"key:\n  private_key: {MASK}user: me",
            ),
            ("run --token abc --fast", f"run --token {MASK} --fast"),
            ("curl -u me:abc https://example.com", f"curl -u me:{MASK} https://example.com"),
            ("ALTER USER me PASSWORD 'abc'", f"ALTER USER me PASSWORD '{MASK}'"),
            (
                "AccountName=me;AccountKey=abc==;Suffix=x",
                f"AccountName=me;AccountKey={MASK};Suffix=x",
            ),
            ('Authorization: Digest user="me", response="abc"', f"Authorization: {MASK}"),
            ("Cookie: a=b; session=abc", f"Cookie: {MASK}"),
            ("https://hooks.slack.com/services/T0/B0/abc", f"https://hooks.slack.com/{MASK}"),
            ("https://discord.com/api/webhooks/1/abc", f"https://discord.com/api/webhooks/{MASK}"),
            ("https://api.telegram.org/bot1:abc/getMe", f"https://api.telegram.org/{MASK}/getMe"),
            ("https://abc:x-oauth-basic@github.com/", f"https://{MASK}:{MASK}@github.com/"),
            ("https%3A%2F%2Fme%3Aabc%40example.com", MASK),
            (r"https:\/\/me:abc@example.com", rf"https:\/\/me:{MASK}@example.com"),
            ("GET /path?code=abc&page=2", f"GET /path?code={MASK}&page=2"),
            ("http://localhost/?__extra__=%7B%22a1b2c3%22", f"http://localhost/?__extra__={MASK}"),
            ("it was sk_live_0123456789abcdef", f"it was {MASK}"),
            (r"a line\ndbtc_abcdefghijkl", rf"a line\ndbtc_{MASK}"),
            ("dbtc_abcdefgh\n    1jklmn at the end", f"dbtc_{MASK} at the end"),
            ("MIIEvQIBADAN\n-----END PRIVATE KEY-----\nafter", f"{MASK}\nafter"),
        ],
    )
    def test_what_looks_like_a_secret(self, text, masked):
        """Secrets that nobody told us of are recognised by their place or shape."""
        assert Masker.of([]).mask(text) == masked

    @pytest.mark.parametrize(
        "text",
        [
            "https://localhost:8443/deploy/1/projects/2/jobs/3",
            "https://ab123.us1.dbt.com/deploy/1/projects/2/jobs/3",
            "/src/c5b137c798c4bdc2c9e15bb4fc19072f61701dcc/README",
            "DbtCloudGetJobRunArtifactOperator",
            "credentials_id: 70403103900042",
            "DBT_CLOUD_API_TOKEN=\n# a comment",
            "commit c5b137c798c4bdc2c9e15bb4fc19072f61701dcc",
            "pyjwt==2.10.1",
            "/opt/project/.local/airflow/lib/python3.11/site-packages/Airflow3/providers/dbt/hooks.py",
            "https://github.com/apache/airflow/blob/3.3.2/README.md?plain=1",
            "run_id=asset_triggered__2026-11-27T06:23:25.044886+00:00_aBcDeF",
            "invocation 82b2a3d8-7a46-4c6f-9a5b-6e0a3c0a9f10",
            "the token is accepted",
            '"password": null',
        ],
    )
    def test_what_helps_stays(self, text):
        """Addresses, commits, paths, versions and ids are what a report is for."""
        assert Masker.of([]).mask(text) == text

    @pytest.mark.parametrize(
        "word",
        [
            "a" * 300_000,
            "a." * 150_000,
            "://" * 100_000,
            "a://b:" * 50_000,
            "eyJ-" * 75_000,
            "token=" * 50_000,
            "token " * 50_000,
            'token="' * 40_000,
            "?a=" * 100_000,
            "+a" * 150_000,
            "c2VjcmV0" * 40_000,
            "token" * 60_000,
            "jwt." * 75_000,
            "https://x/" + ";" * 300_000,
            "https://x/" + "?;" * 150_000,
            "token=," * 40_000,
            "token=\\" * 40_000,
            "Aa1" * 300_000 + "/" * 100_000,
        ],
        ids=lambda word: word[:6],
    )
    def test_long_words(self, word):
        """A text is read once, whatever a stranger wrote into a log; else this would not end."""
        masker = Masker.of(["a secret of this clone"])

        assert masker.mask(f"before {word}").startswith("before")

    def test_known_secret_in_every_form(self):
        """A known secret is found in addresses, JSON, code, base64 at any offset, over lines."""
        secret = 'Ab1/c+d&"e%f g'
        in_json = json.dumps(secret)[1:-1]
        masker = Masker.of([secret])
        forms = [secret, quote(secret, safe=""), json.dumps(secret), repr(secret)]
        forms += [base64.b64encode(b"x" * n + secret.encode()).decode() for n in range(4)]
        forms += [base64.urlsafe_b64encode(b"x" * n + secret.encode()).decode() for n in range(4)]
        forms += [f"{secret[:5]}\n        {secret[5:]}", f"{secret[:5]}\r\n{secret[5:]}"]
        forms += [f"{in_json[:5]}\\n  {in_json[5:]}", secret.replace(" ", "\n")]
        forms += [json.dumps(in_json), secret.encode().hex(), quote(quote(secret, safe=""))]
        forms += [quote(secret, safe="").replace("%2F", "%2f").replace("%2B", "%2b")]

        assert [form for form in forms if not masker.leaks(f"before {form} after")] == []
        left = [masker.mask(f"before {form} after") for form in forms]
        assert {re.sub(r"[\"']", "", text) for text in left} == {f"before {MASK} after"}


class TestWithoutAStack:
    def test_settings_as_they_are_copied(self, tmp_path, opened):
        """The examples in a fresh .env are no secrets; one in a comment of yours is."""
        stack = Stack(tmp_path)
        example = (ROOT / ".env.example").read_text()
        secret = "plant12-in-a-comment"
        stack.env_file.write_text(f"{example}#WAREHOUSE_URL=postgresql://u:{secret}@h/d\n")
        (stack.state / "logs").mkdir(parents=True)
        (stack.state / "logs/scheduler.log").write_text(f"a password, {secret}")
        texts = opened(stack)

        assert "a password, a key" in texts["README.txt"]
        assert texts["logs/scheduler.log"] == f"a password, {MASK}"

    def test_addresses_of_notifications(self, tmp_path, opened):
        """What opens an address is masked wherever it stands, also of one that is switched off."""
        stack = Stack(tmp_path)
        stack.write("DBT_CLOUD_NOTIFICATION_URLS=json://chat.example.com/room-12?+X-Key=opensesame")
        with stack.env_file.open("a") as file:
            file.write("# DBT_CLOUD_NOTIFICATION_URLS=slack://WordOne/WordTwo\n")
        (stack.state / "logs").mkdir(parents=True)
        (stack.state / "logs/scheduler.log").write_text(
            "POST chat.example.com /room-12 X-Key is opensesame\nasked WordOne\nit helps"
        )
        texts = "".join(opened(stack).values())

        for part in ("chat.example", "room-12", "opensesame", "WordOne", "WordTwo"):
            assert part not in texts
        assert "it helps" in texts

    def test_password_that_is_a_word(self, tmp_path, opened):
        """A password that stands in the bundle's own words keeps nobody from making one."""
        stack = Stack(tmp_path)
        stack.write("WAREHOUSE_URL=postgresql://u:people@h/d")

        assert "people" not in "".join(opened(stack).values())

    def test_broken_settings(self, tmp_path, opened):
        """Also where .env is broken and nothing runs there is a bundle, with the doctor's words."""
        stack = Stack(tmp_path)
        secret = "plant11 with blanks"
        stack.write(f"export MY_TOKEN='{secret}'")
        (stack.state / "logs").mkdir(parents=True)
        (stack.state / "logs/scheduler.log").write_text(f"it said {secret}")
        texts = opened(stack)

        assert "cannot be read" in texts["doctor.json"]
        assert f"MY_TOKEN={MASK}" in texts["settings.txt"]
        assert texts["logs/scheduler.log"] == f"it said {MASK}"
        assert secret not in "".join(texts.values())
