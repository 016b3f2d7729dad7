"""A dbt project that wants to read files of yours, as a folder, in git and as an archive."""

import io
import os
import shutil
import subprocess
import tarfile
from contextlib import suppress

import pytest
from server_process import JOB, REAL_DBT, declare, job, write_project

from local_dbt_cloud.dbt.project_files import OutsideError, copy_folder, extract_files


SECRET = "a key of somebody's"
# What each link is called, and where it leads to. `{outside}` is a file that is not the project's.
OUTSIDE = {
    "a model": ("models/stolen.sql", "{outside}"),
    "a folder": ("models/stolen", "{outside_folder}"),
    "a relative way": ("models/stolen.sql", "../../outside/key.sql"),
    "in two steps": ("models/stolen", "../up/outside"),
    "around itself": ("models/again", "."),
    "each other": ("models/again", "again"),
}


@pytest.fixture(scope="module")
def started(make_server):
    server = make_server(declare(job(JOB, "Build tiny", "dbt build"))).start()
    outside = server.folder / "outside"
    outside.mkdir()
    (outside / "key.sql").write_text(SECRET)
    yield server
    server.stop()


@pytest.fixture
def server(started):
    """The one server, its project as new."""
    shutil.rmtree(started.folder / "project")
    write_project(started.folder)
    return started


@pytest.fixture
def link(server):
    """Put a link into the project."""

    def make(name, to):
        project = server.folder / "project"
        if name == "models/stolen":
            (project / "up").symlink_to("..")
        filled = {"outside": server.folder / "outside/key.sql", "outside_folder": "/etc"}
        (project / name).symlink_to(to.format(**filled))
        return project

    return make


def in_git(project):
    command = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for arguments in (["init", "-q", "-b", "trunk"], ["add", "."], ["commit", "-qm", "a link"]):
        subprocess.run([*command, *arguments], check=True)


def kept_texts(server):
    """Every byte that the server has kept of its runs."""
    files = (path for path in (server.folder / "state").rglob("*") if path.is_file())
    return b"".join(path.read_bytes() for path in files)


class TestLinks:
    @pytest.mark.parametrize("where", ["the folder", "git"])
    @pytest.mark.parametrize("what", OUTSIDE)
    def test_out_of_the_project(self, server, link, what, where):
        """The run fails in its first step, which names the link; nothing is read through it."""
        project = link(*OUTSIDE[what])
        if where == "git":
            in_git(project)
        branch = {"git_branch": "trunk"} if where == "git" else {}
        run = server.finish(server.trigger(**branch)["id"])

        assert run["status"] == 20
        assert "leads out of the project" in run["status_message"]
        assert SECRET.encode() not in kept_texts(server)

    @pytest.mark.parametrize("where", ["the folder", "git"])
    def test_inside_of_the_project(self, server, where):
        """A link to a file or folder of the project is the file or folder, also over another."""
        project = server.folder / "project"
        (project / "shared").mkdir()
        (project / "shared/three.sql").write_text("select 3 as id")
        (project / "models/shared").symlink_to("../shared")
        (project / "models/four.sql").symlink_to("shared/three.sql")
        if where == "git":
            in_git(project)
        branch = {"git_branch": "trunk"} if where == "git" else {}
        run = server.finish(server.trigger(**branch)["id"])
        (copy,) = (server.folder / "state/runs").glob(f"{run['id']}/project")

        assert run["status"] == 10, run["status_message"]
        for name in ("models/shared/three.sql", "models/four.sql"):
            assert (copy / name).read_text() == "select 3 as id"
            assert not any((copy / name).is_symlink() for name in ("models/shared", name))

    def test_what_is_no_file_is_left_out(self, server):
        """A pipe would be waited at for ever."""
        os.mkfifo(server.folder / "project/models/pipe.sql")
        run = server.finish(server.trigger()["id"])

        assert run["status"] == 10, run["status_message"]

    def test_what_a_run_does_not_get(self, server, link):
        """Of a folder's .git, logs and target, a link gets nothing either."""
        project = link("models/stolen.sql", "../.git/config")
        (project / ".git").mkdir()
        (project / ".git/config").write_text(SECRET)
        run = server.finish(server.trigger()["id"])

        assert run["status"] == 20
        assert "models/stolen.sql leads out of the project" in run["status_message"]
        assert SECRET.encode() not in kept_texts(server)

    def test_around_each_other(self, server):
        """Two folders with a link to the other would be copied for ever, and are refused."""
        models = server.folder / "project/models"
        for here, there in (("a", "b"), ("b", "a")):
            (models / here).mkdir()
            (models / here / "other").symlink_to(f"../{there}")
        run = server.finish(server.trigger()["id"])

        assert run["status"] == 20
        assert "other leads out of the project" in run["status_message"]

    def test_more_than_a_disk_holds(self, tmp_path):
        """Folders with two links each to the next one: a million files out of forty links."""
        for number in range(20):
            (tmp_path / f"project/{number}").mkdir(parents=True)
            for name in ("one", "two"):
                (tmp_path / f"project/{number}/{name}").symlink_to(f"../{number + 1}")
        (tmp_path / "project/20").mkdir()
        (tmp_path / "project/20/file").touch()
        with pytest.raises(OutsideError, match="more than 100000 files"):
            copy_folder(tmp_path / "project", tmp_path / "copy", lambda *_: set())

        assert not (tmp_path / "copy").exists()


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "model-paths: [models, {outside}]",
            "macro_paths: ['../../outside']",
            "seed-paths: seeds/../../../outside",
            # These two would be emptied.
            "asset-paths: [{outside}]",
            "packages-install-path: {outside}",
            "docs-paths: [\"{{{{ '/' ~ 'etc' }}}}\"]",
            "docs-paths: [\"{{{{ env_var('DBT_NOT_SET', '/etc') }}}}\"]",
        ],
    )
    @pytest.mark.parametrize("where", ["", "own/package"])
    def test_out_of_the_project(self, server, path, where):
        """No dbt starts with a dbt_project.yml, its own or a package's, that leads out of it."""
        folder = server.folder / "project" / where
        folder.mkdir(parents=True, exist_ok=True)
        text = f"name: hostile\n{path.format(outside=server.folder / 'outside')}\n"
        (folder / "dbt_project.yml").write_text(text)
        run = server.finish(server.trigger()["id"])

        key = path.partition(":")[0]
        assert run["status"] == 20
        assert f"{key} of {where}{'/' * bool(where)}dbt_project.yml leads" in run["status_message"]
        assert "Running with dbt" not in run["run_steps"][-1]["logs"]

    def test_inside_of_the_project(self, server):
        """Folders of the project, also by a variable, and what the server decides anyway."""
        with (server.folder / "project/dbt_project.yml").open("a") as file:
            file.write("model-paths: [models, more/models]\ntarget-path: /tmp/elsewhere\n")
            file.write("packages-install-path: \"{{ env_var('DBT_PACKAGES', 'packages') }}\"\n")
        run = server.finish(server.trigger()["id"])

        assert run["status"] == 10, run["status_message"]

    def test_a_package_of_the_project(self, fresh_server):
        """dbt links a local package into its folder of packages: it is in the project, and goes."""
        server = fresh_server(job(JOB, "Parse", "dbt parse"), dbt=REAL_DBT)
        package = server.folder / "project/own/package"
        package.mkdir(parents=True)
        (package / "dbt_project.yml").write_text("name: package\nversion: '1.0'\n")
        packages = server.folder / "project/packages.yml"
        packages.write_text("packages: [{local: own/package}]\n")
        run = server.finish(server.trigger()["id"])

        assert run["status"] == 10, run["status_message"]
        assert "Installed from <local @ own/package>" in run["run_steps"][2]["logs"]

    def test_a_package_that_deps_has_linked(self, fresh_server, tmp_path):
        """A local package from elsewhere is a link: the next command does not start."""
        dbt = tmp_path / "dbt"
        dbt.write_text(f"#!/bin/sh\necho $1 >> {tmp_path}/ran\nln -sfn /etc hostile\n")
        dbt.chmod(0o755)
        server = fresh_server(job(JOB, "Build", "dbt build"), dbt=dbt)
        run = server.finish(server.trigger()["id"])

        assert run["status"] == 20
        assert "hostile leads out of the project, to /etc." in run["status_message"]
        assert (tmp_path / "ran").read_text() == "deps\n"


def archive(*members):
    """A tar of (name, kind, to)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, kind, to in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, to
            content = b"" if to else b"content"
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


# A folder whose name is as long as a path may be: tarfile's filter looked at the short name.
LONG = "d" * 247
CHAIN = "/".join("abcdefghijklmnop")


class TestArchives:
    @pytest.mark.parametrize(
        "members",
        [
            [("../outside", tarfile.REGTYPE, "")],
            [("/outside", tarfile.REGTYPE, "")],
            [("a", tarfile.SYMTYPE, "/etc/passwd")],
            [("a", tarfile.SYMTYPE, "../../outside")],
            [("a", tarfile.LNKTYPE, "../outside")],
            [("a/b", tarfile.SYMTYPE, ".."), ("a/b/c", tarfile.SYMTYPE, "../..")],
            [("a", tarfile.SYMTYPE, "."), ("a/x", tarfile.REGTYPE, "")],
            [("a", tarfile.SYMTYPE, "../../.."), ("a/outside/b", tarfile.SYMTYPE, ".")],
        ],
        ids=lambda members: " then ".join(f"{name} {to}" for name, _, to in members),
    )
    def test_refused(self, tmp_path, members):
        """What leads out, by its name or as a link, is an error, and nothing is outside."""
        into = tmp_path / "far/below/project"
        into.mkdir(parents=True)
        with pytest.raises(OutsideError):
            extract_files(archive(*members), into)

        assert not list(tmp_path.rglob("outside"))

    def test_chain_of_long_links(self, tmp_path):
        """CVE-2025-4517: links whose real path is longer than a path may be lead nowhere."""
        into = tmp_path / "project"
        into.mkdir()
        members, folder = [], ""
        for letter in CHAIN.split("/"):
            members.append((f"{folder}{LONG}", tarfile.DIRTYPE, ""))
            members.append((f"{folder}{letter}", tarfile.SYMTYPE, LONG))
            folder += f"{LONG}/"
        members.append((f"{CHAIN}/{'l' * 254}", tarfile.SYMTYPE, "../" * 16))
        members.append(("escape", tarfile.SYMTYPE, f"{CHAIN}/{'l' * 254}/../../outside"))
        members.append(("escape/file", tarfile.REGTYPE, ""))
        with suppress(OutsideError, OSError):
            extract_files(archive(*members), into)

        assert [path for path in tmp_path.iterdir() if path != into] == []
        assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
