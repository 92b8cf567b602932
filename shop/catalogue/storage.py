"""The operator's files for sale, out of the public's reach: in the data folder, or in a bucket.

A file is named by its content's hash and its own name (`3f2a…/rain.zip`), so what is stored under a
name never changes. `storage()` is the place that the settings choose.

    StorageFailed      the bucket did not do what it was asked; an OSError, as a folder raises
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..config import Settings, current_settings
from ..web.own_files import UnreadableFile, plain_file

BUCKET_LINK_SECONDS = 300
"""How long a link to the bucket may be used to begin a download."""


class StorageFailed(OSError):
    """The bucket could not be reached, or refused."""


class StoredFile(NamedTuple):
    """A file's name here, and its size in bytes."""

    name: str
    size: int | None


class Folder:
    """Files below the data folder's `goods/`; the shop itself hands them out."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Where the file lies. Its name comes from our own import, never from a request."""
        return self.root / PurePosixPath(name)

    def problem(self, name: str, size: int | None) -> str:
        """Why the file cannot be handed out, in words; empty when it can. `size` is what it should have."""
        path = self.path(name)
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root)):
            return "is a link that leads out of the goods folder"
        try:
            with plain_file(path) as handle:
                return _wrong_size(os.fstat(handle).st_size, size)
        except FileNotFoundError:
            return "is not in the goods folder"
        except UnreadableFile as error:
            return error.why

    def known_size(self, name: str) -> int | None:
        """The size of a file that was stored before sizes were noted; None if it is gone."""
        return _size_of(self.path(name))

    def store(self, source: Path) -> StoredFile:
        """Copy a file here, unless it is here already and whole."""
        self.root.mkdir(parents=True, exist_ok=True)
        with _copy_of(source, self.root) as (copy, stored):
            target = self.path(stored.name)
            if self.problem(stored.name, stored.size):
                target.parent.mkdir(exist_ok=True)
                copy.replace(target)
        return stored

    def fetch(self, name: str, target: Path) -> None:
        """Copy a stored file to `target`."""
        shutil.copyfile(self.path(name), target)


class Bucket:
    """Files in a bucket that speaks S3's protocol; buyers download from there, by links that end soon."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self.client, self.bucket, self.prefix = client, bucket, prefix

    def problem(self, name: str, size: int | None) -> str:
        """Why the file cannot be handed out, in words; empty when it can. StorageFailed if nobody knows."""
        found = self.size(name)
        return "is not in the bucket" if found is None else _wrong_size(found, size)

    def known_size(self, name: str) -> int | None:
        """Unknown: a page must not wait for the bucket."""
        return None

    def store(self, source: Path) -> StoredFile:
        """Bring a file here, unless it is here already."""
        with _copy_of(source, None) as (copy, stored):
            if self.size(stored.name) != stored.size:
                with _failures():
                    self.client.upload_file(str(copy), self.bucket, self.prefix + stored.name)
        return stored

    def fetch(self, name: str, target: Path) -> None:
        """Copy a stored file to `target`."""
        with _failures():
            self.client.download_file(self.bucket, self.prefix + name, str(target))

    def link(self, name: str, *, disposition: str, mimetype: str, seconds: int) -> str:
        """An address that hands the file to whoever has it, as an attachment, so long. No call is made."""
        asked = {
            "Bucket": self.bucket,
            "Key": self.prefix + name,
            "ResponseContentDisposition": disposition,
            "ResponseContentType": mimetype,
            "ResponseCacheControl": "private, no-store",
        }
        return str(
            self.client.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds)
        )

    def size(self, name: str) -> int | None:
        """How many bytes it has there; None if it is not there. StorageFailed if nobody knows."""
        try:
            with _failures():
                found = self.client.head_object(Bucket=self.bucket, Key=self.prefix + name)
        except _Missing:
            return None
        return int(found["ContentLength"])


class _Missing(StorageFailed):
    """There is no such file."""


def storage() -> Folder | Bucket:
    """Where this shop's goods are."""
    return _opened(current_settings())


@lru_cache(maxsize=8)
def _opened(settings: Settings) -> Folder | Bucket:
    if not settings.shop_goods_url:
        return Folder(settings.shop_data_dir / "goods")
    # Here, because it is an optional extra, and takes half a second.
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=settings.shop_goods_endpoint or None,
        region_name=settings.shop_goods_region,
        aws_access_key_id=settings.shop_goods_key_id,
        aws_secret_access_key=settings.shop_goods_secret_key.get_secret_value(),
        config=Config(
            signature_version="s3v4",
            connect_timeout=3,
            read_timeout=10,
            retries={"total_max_attempts": 2},
            # Services other than Amazon's know no newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # They also have no host name for each bucket.
            s3={"addressing_style": "path" if settings.shop_goods_endpoint else "virtual"},
        ),
    )
    address = urlsplit(settings.shop_goods_url)
    folder = address.path.strip("/")
    return Bucket(client, address.netloc, f"{folder}/" if folder else "")


@contextmanager
def _copy_of(source: Path, beside: Path | None) -> Iterator[tuple[Path, StoredFile]]:
    """A copy that nobody else writes to, as the original may be written to, and what it is called."""
    with tempfile.TemporaryDirectory(dir=beside, prefix=".new-") as folder:
        copy = Path(shutil.copyfile(source, Path(folder) / "copy"))
        with copy.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
        yield copy, StoredFile(f"{digest}/{source.name}", copy.stat().st_size)


@contextmanager
def _failures() -> Iterator[None]:
    """Turn the library's errors into ours, without what they hold of the request."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            raise _Missing("the bucket has no such file") from None
        raise StorageFailed(f"the bucket refuses: {error.response['Error']['Code']}") from None
    except (BotoCoreError, Boto3Error) as error:
        raise StorageFailed(f"the bucket fails: {type(error).__name__}") from None


def _wrong_size(found: int, due: int | None) -> str:
    return f"has {found} bytes instead of {due}" if due not in (None, found) else ""


@lru_cache(maxsize=512)
def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
