"""The file that a report is written to."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .printing import refuse


@dataclass
class ReportFile:
    """The file for the report, taken before there is anything to write: it overwrites nothing."""

    path: Path

    @classmethod
    def take(cls, path: Path) -> ReportFile:
        """Make the file, empty and for its owner's eyes only; refuses if there is one already."""
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            refuse(f"{path} exists already; choose another name for the report.")
        except OSError as error:
            refuse(f"The report cannot be written to {path}: {error.strerror}.")
        return cls(path.absolute())

    def write(self, report: dict[str, Any]) -> None:
        """Write the report into it."""
        self.path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")

    def tidy(self) -> None:
        """Remove the file if nothing was written, so that the next try may have its name."""
        with suppress(FileNotFoundError):
            if self.path.stat().st_size == 0:
                self.path.unlink()
