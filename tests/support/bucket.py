"""A real server of S3's protocol, which checks signatures: rclone, out of the development packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support.processes import free_port, until

RCLONE = shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
KEY_ID, SECRET = "SHOPKEY", "canary-bucket-secret-0123456789"


@dataclass(frozen=True)
class BucketServer:
    """Where it is, and the folder in which it keeps the bucket `for-sale`."""

    url: str
    folder: Path

    def settings(self, **values: str) -> dict[str, object]:
        """A shop's settings for it."""
        return {
            "shop_goods_url": "s3://for-sale/our/goods",
            "shop_goods_endpoint": self.url,
            "shop_goods_key_id": KEY_ID,
            "shop_goods_secret_key": SECRET,
        } | values

    def files(self) -> list[Path]:
        """Everything in the bucket."""
        return [path for path in self.folder.rglob("*") if path.is_file()]


@contextmanager
def bucket_server(root: Path) -> Iterator[BucketServer]:
    """Serve buckets out of `root`, for as long as the block runs."""
    assert RCLONE
    address = f"127.0.0.1:{free_port()}"
    (root / "for-sale").mkdir(parents=True)
    command = [RCLONE, "serve", "s3", str(root), "--addr", address, "--auth-key"]
    process = subprocess.Popen(
        [*command, f"{KEY_ID},{SECRET}", "--config", os.devnull, "--vfs-cache-mode", "off"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _answers(f"http://{address}"), "the start of the bucket's server")
        yield BucketServer(f"http://{address}", root / "for-sale")
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code > 0
    except requests.RequestException:
        return False
