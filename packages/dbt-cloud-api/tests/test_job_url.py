import pytest

from dbt_cloud_api.job_url import Address, JobUrl, bare_host, parse_job_url, read_address
from dbt_cloud_api.user_error import UserError


SHAPES = {
    "old interface": "https://cloud.getdbt.com/#/accounts/16173/projects/36467/jobs/65767/",
    "deploy": "https://cloud.getdbt.com/deploy/16173/projects/36467/jobs/65767",
    "next": "https://cloud.getdbt.com/next/deploy/16173/projects/36467/jobs/65767",
    "api": "https://cloud.getdbt.com/api/v2/accounts/16173/jobs/65767/",
    "no scheme": "cloud.getdbt.com/deploy/16173/projects/36467/jobs/65767",
    "settings tab": "https://cloud.getdbt.com/deploy/16173/projects/36467/jobs/65767/settings",
    "query": "https://cloud.getdbt.com/deploy/16173/projects/36467/jobs/65767?tab=runs",
    "capitals and blanks": " https://Cloud.GetDBT.com/deploy/16173/projects/36467/jobs/65767 ",
}

NO_JOBS = {
    "run": "https://cloud.getdbt.com/deploy/1/projects/2/runs/3",
    "list of jobs": "https://cloud.getdbt.com/deploy/1/projects/2/jobs",
    "settings": "https://cloud.getdbt.com/settings/accounts/1",
    "host only": "cloud.getdbt.com",
    "number with letters": "https://cloud.getdbt.com/deploy/1/projects/2/jobs/3abc",
    "words": "my job",
    "another protocol": "ftp://cloud.getdbt.com/deploy/1/projects/2/jobs/3",
}


class TestParseJobUrl:
    @pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
    def test_reads_every_shape(self, text):
        """Each shape that dbt Cloud's interfaces have shown gives the same host and ids."""
        project = 36467 if "projects" in text else None

        assert parse_job_url(text) == JobUrl("cloud.getdbt.com", 16173, 65767, project)

    def test_keeps_cells_and_64_bit_ids(self):
        """A multi-cell host and 14-digit ids come through unchanged."""
        parsed = parse_job_url(
            "https://ab123.us1.dbt.com/deploy/70471823545829/projects/9/jobs/70403103936332"
        )

        assert parsed == JobUrl("ab123.us1.dbt.com", 70471823545829, 70403103936332, 9)

    def test_keeps_the_port(self):
        """The port stays in the host, because the provider ignores the connection's port field."""
        assert parse_job_url("https://localhost:8443/deploy/1/projects/2/jobs/3").host == (
            "localhost:8443"
        )

    @pytest.mark.parametrize("text", NO_JOBS.values(), ids=NO_JOBS)
    def test_refuses_what_is_no_job(self, text):
        """Anything else is refused with the text that was given and the shape that is wanted."""
        with pytest.raises(UserError) as refused:
            parse_job_url(text)

        assert text in refused.value.problem
        assert "/jobs/<job>" in str(refused.value)

    def test_says_that_a_run_is_not_a_job(self):
        """The address of a run, the likeliest mistake, is called one."""
        with pytest.raises(UserError, match="address of one run"):
            parse_job_url(NO_JOBS["run"])


class TestBareHost:
    @pytest.mark.parametrize(
        "text",
        ["https://emea.dbt.com", "http://emea.dbt.com/", "emea.dbt.com", "EMEA.dbt.com/deploy/1"],
    )
    def test_drops_scheme_and_path(self, text):
        """A host is taken as it is, with or without https:// and whatever follows it."""
        assert bare_host(text) == "emea.dbt.com"

    @pytest.mark.parametrize("text", ["my host", "https://", "a@b"])
    def test_refuses_what_is_no_host(self, text):
        """What cannot be a host name is refused by its setting's name."""
        with pytest.raises(UserError, match="DBT_CLOUD_HOST"):
            bare_host(text)


class TestAddress:
    @pytest.mark.parametrize(
        ("pasted", "expected"),
        [
            ("ab123.us1.dbt.com", Address("ab123.us1.dbt.com")),
            ("https://emea.dbt.com/", Address("emea.dbt.com")),
            ("localhost:8443", Address("localhost:8443")),
            ("https://x.dbt.com/settings/accounts/7", Address("x.dbt.com", 7)),
            ("https://x.dbt.com/deploy/7/projects/8", Address("x.dbt.com", 7, 8)),
            (
                "https://cloud.getdbt.com/#/accounts/7/projects/8/jobs/9/",
                Address("cloud.getdbt.com", 7, 8, 9),
            ),
            (
                "https://x.us1.dbt.com/next/deploy/70471823545829/projects/8/jobs/9",
                Address("x.us1.dbt.com", 70471823545829, 8, 9),
            ),
            ("https://x.dbt.com/deploy/7/projects/8/runs/9", Address("x.dbt.com", 7, 8)),
            ("https://x.dbt.com/api/v2/accounts/7/jobs/9/", Address("x.dbt.com", 7, None, 9)),
        ],
    )
    def test_shapes(self, pasted, expected):
        """Every shape of address that is seen gives what it says, and no more."""
        assert read_address(pasted) == expected

    @pytest.mark.parametrize("pasted", ["", "my account", "https://", "x.dbt.com:port"])
    def test_what_is_none(self, pasted):
        """What is no address is refused."""
        with pytest.raises(UserError, match="no address"):
            read_address(pasted)
