"""A snapshot that somebody else has made: restoring it writes nothing outside of the state."""

import io
import tarfile

import pytest

from dbt_cloud_api.user_error import UserError
from local_airflow.base.state_archive import read_archive


@pytest.mark.parametrize(
    ("name", "kind", "to"),
    [
        ("../outside", tarfile.REGTYPE, ""),
        ("/outside", tarfile.REGTYPE, ""),
        ("runs/../../outside", tarfile.REGTYPE, ""),
        ("link", tarfile.SYMTYPE, ".."),
        ("link", tarfile.LNKTYPE, "../outside"),
        ("pipe", tarfile.FIFOTYPE, ""),
        ("device", tarfile.CHRTYPE, ""),
    ],
)
def test_only_plain_files_are_restored(tmp_path, name, kind, to):
    """Anything else is refused with its name; there is no link that a later name could follow."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(member)
    stream.seek(0)
    with pytest.raises(UserError) as refused:
        read_archive(tmp_path / "state", stream)

    assert name in refused.value.cause
    assert list((tmp_path / "state").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"state"}
