"""What `dbt_cloud_jobs.yml` says of the account besides jobs, below `local_dbt_cloud:`."""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator


Id = Annotated[int, Field(gt=0, lt=2**63)]
VARIABLE_NAME = r"^DBT_[A-Z0-9_]{1,250}$"
# What git allows in the name of a branch, but for `{` and a `-` in front: an option is no name.
REVISION = r"^[^\x00-\x20\x7f~^:?*\[\\{-][^\x00-\x20\x7f~^:?*\[\\{]*$"
POSTGRES = "postgres"
# What the server writes into every profile itself.
NOT_IN_A_PROFILE = {
    "type": "the connection's own type",
    "schema": "the environment's schema",
    "dataset": "the environment's schema",
    "threads": "the job's settings",
}
SECRET = re.compile(r"pass(word|phrase)?|token|secret|(?<!_)key|private_key|client_secret|pwd")
# What begins with `-` would be an option of git or of ssh, and `ext::` a command.
GIT_URL = re.compile(r"(https?|ssh|file)://[^\s-]\S*|\w[\w.-]*@\w[\w.-]*:\S+")
ENV_VAR = re.compile(r"\{\{\s*env_var\(\s*['\"](\w+)['\"]")


class Declared(BaseModel):
    # A misspelt key would silently do nothing; naming it is kinder.
    model_config = ConfigDict(extra="forbid", frozen=True)


def as_text(value: Any) -> Any:
    """YAML's numbers and switches, as a shell would write them."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


VariableName = Annotated[str, Field(pattern=VARIABLE_NAME)]
# A secret belongs in no file: set it over the API.
Variables = dict[VariableName, Annotated[str, BeforeValidator(as_text), Field(min_length=1)]]


def check_profile(profile: dict[str, Any]) -> dict[str, Any]:
    for name, value in profile.items():
        if name in NOT_IN_A_PROFILE:
            raise ValueError(f"{name} does not belong here: it is {NOT_IN_A_PROFILE[name]}")
        if SECRET.fullmatch(name) and not ENV_VAR.search(str(value)):
            raise ValueError(
                f"{name} would be a secret in a file: write "
                f"\"{{{{ env_var('DBT_ENV_SECRET_{name.upper()}') }}}}\""
            )
    return profile


def check_adapter(requirement: str) -> str:
    if not re.fullmatch(r"dbt-[a-z0-9-]+(\[[a-z0-9,-]+\])?==[0-9][A-Za-z0-9.]*", requirement):
        raise ValueError(
            f"'{requirement}' is no dbt adapter with a version, such as dbt-duckdb==1.10.0"
        )
    return requirement


def check_git_url(url: str) -> str:
    if not GIT_URL.fullmatch(url):
        raise ValueError(f"'{url}' is no URL of a git repository: https, ssh or file")
    return url


def check_inside(path: PurePosixPath) -> PurePosixPath:
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"'{path}' leads out of the repository")
    return path


class DeclaredConnection(Declared):
    """
    A warehouse.

    Without a profile it is the one of WAREHOUSE_*. `profile` is what stands in a profiles.yml for
    it, less what the server knows; `adapter` is the dbt package for any other type than postgres.
    """

    id: Id
    name: str
    type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = POSTGRES
    adapter: Annotated[str, AfterValidator(check_adapter)] | None = None
    profile: Annotated[dict[str, Any], AfterValidator(check_profile)] | None = None

    @model_validator(mode="after")
    def check_what_the_type_needs(self) -> Self:
        if self.type == POSTGRES:
            return self
        if self.adapter is None:
            raise ValueError(
                f"type {self.type} needs its adapter, with a version: dbt-{self.type}==1.10.0"
            )
        if self.profile is None:
            raise ValueError(f"type {self.type} needs a profile")
        return self


class DeclaredEnvironment(Declared):
    id: Id
    name: str
    connection_id: Id
    credentials_id: Id
    schema_name: str = Field(alias="schema")
    dbt_version: str = "1.11.0-latest"
    deployment_type: Literal["production", "staging"] | None = "production"
    environment_variables: Variables = {}


class DeclaredProject(Declared):
    """
    Where dbt_project.yml is: in a folder, or in a git repository.

    `folder` is relative to the file that declares it, `subdirectory` to the repository.
    """

    id: Id
    name: str
    description: str = ""
    folder: Path | None = None
    git_url: Annotated[str, AfterValidator(check_git_url)] | None = None
    git_branch: Annotated[str, Field(pattern=REVISION)] | None = None
    subdirectory: Annotated[PurePosixPath, AfterValidator(check_inside)] | None = None
    repository_id: Id
    environment_variables: Variables = {}
    environments: tuple[DeclaredEnvironment, ...]

    @model_validator(mode="after")
    def check_one_source(self) -> Self:
        if (self.folder is None) == (self.git_url is None):
            raise ValueError("a project has either a folder or a git_url")
        if self.folder is not None and (self.git_branch or self.subdirectory):
            raise ValueError("git_branch and subdirectory go with a git_url")
        return self


class DeclaredAccount(Declared):
    id: Id
    name: str
    run_slots: Annotated[int, Field(ge=1, le=64)] = 4
    queue_limit: Annotated[int, Field(ge=1, le=10_000)] = 50
    connections: tuple[DeclaredConnection, ...]
    projects: tuple[DeclaredProject, ...]


def variables_of(profile: Any) -> set[str]:
    """The names that a profile reads with env_var."""
    return set(ENV_VAR.findall(str(profile)))
