#!/usr/bin/env python3
"""The way in on a fresh machine; needs Python 3.11 or newer and nothing else.

  python3 dev.py run       the shop with a demo catalogue, and a stand-in for the payment provider
  python3 dev.py demo      two whole purchases, shown step by step; ends by itself
  python3 dev.py test      the tests; further arguments go to pytest
  python3 dev.py check     style, types, package boundaries and migrations
  python3 dev.py translate bring the words of the other languages in step with the sources
  python3 dev.py bench     speed and memory, next to the goals (--quick, --against COMMIT)
  python3 dev.py promises  the tests of docs/promises.md at their full figures, and its table
  python3 dev.py mutate    mutation testing; what follows goes to mutmut: run, results, show NAME
  python3 dev.py help      this text

The first command makes .venv and installs into it; later ones install again only when
pyproject.toml, constraints.txt or Python itself has changed.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Before anything that an older Python could not read; this file must stay that plain.
if sys.version_info < (3, 11):  # noqa: UP036  # people do start it with an older one
    sys.exit(
        "This shop needs Python 3.11 or newer, and this is Python %d.%d.\n"  # noqa: UP031
        "Start dev.py with a newer one, for example: python3.12 dev.py run" % sys.version_info[:2]
    )
if os.name == "nt":
    sys.exit("The shop's web server does not run on Windows. Use WSL, and start dev.py there.")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


# What each command needs installed, and the module that it becomes.
TOOLS = {
    "run": ("", "demo.stack"),
    "demo": ("", "demo.purchase"),
    "test": ("[dev]", "pytest"),
    "bench": ("[dev]", "benchmarks"),  # with its PostgreSQL
    "mutate": ("[mutation]", "mutmut"),
}

ONE_PROCESS = ("-n", "--numprocesses", "-s", "--capture=no", "--pdb", "--collect-only", "--co")
"""Arguments that decide on processes, or that make sense in one only."""


def main(arguments: list[str]) -> None:
    """Do what the first argument says."""
    command = arguments[0] if arguments else "help"
    if command in TOOLS:
        more = arguments[1:]
        hand_over(*TOOLS[command], [*in_parallel(more), *more] if command == "test" else more)
    elif command == "promises":
        promises(arguments[1:])
    elif command == "check":
        check()
    elif command == "translate":
        translate()
    elif command in ("help", "-h", "--help"):
        say((__doc__ or "").strip())
    else:
        sys.exit(f"There is no command {command!r}.\n\n{__doc__}")


def hand_over(extra: str, module: str, arguments: list[str]) -> None:
    """Become the tool, so that signals, colours and the exit code are its own."""
    ensure(extra)
    os.chdir(ROOT)
    environment = tool_environment()
    if module == "pytest":  # each process of tests would compile 600 files anew
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execve(PYTHON, [str(PYTHON), "-m", module, *arguments], environment)


def in_parallel(arguments: list[str]) -> list[str]:
    """What spreads the tests over all cores, unless the arguments say otherwise or name a file."""
    if any(given.startswith(ONE_PROCESS) or ".py" in given for given in arguments):
        return []
    # One more than there are cores: a quarter of the time they would wait for servers and browsers.
    return ["-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal"]


def promises(arguments: list[str]) -> None:
    """Run the tests of docs/promises.md, each at its full figure, and write the table."""
    os.environ["DEV_COMMAND"] = " ".join(["python3 dev.py promises", *arguments])
    # In one word: pytest takes a file that stands alone for tests to run.
    chosen = ["-m", "long or promise", "--promises=docs/promises.md", *in_parallel(arguments)]
    hand_over("[dev]", "pytest", [*chosen, *arguments])


def tool_environment() -> dict[str, str]:
    """The environment in which the installed programs are found first."""
    path = os.pathsep.join((str(PYTHON.parent), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "VIRTUAL_ENV": str(VENV), "PATH": path}


def ensure(extra: str) -> None:
    """Make .venv and install the shop with its `extra`, unless that is done and still current."""
    wanted = inputs()
    if any(read(stamp_of(known)) == wanted for known in (extra, extra or "[dev]")):
        return
    if not usable():
        make_venv()
    say(f"Installing into {VENV.name}; the first time this takes up to a minute ...")
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-q"]
    done = subprocess.run([*pip, "-c", "constraints.txt", "-e", f".{extra}"], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(
            "\nInstalling did not work; pip says above why. It fetches packages over the network:\n"
            "are you online, or does a proxy need to be set (https_proxy)?\n"
            "The same command tries again."
        )
    stamp_of(extra).write_text(wanted)


def usable() -> bool:
    """Whether .venv holds a working Python of the version that runs this, and pip."""
    if not PYTHON.exists():
        return False
    probe = [str(PYTHON), "-c", "import pip, sys; print(sys.version)"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == sys.version


def make_venv() -> None:
    """Make .venv anew with this Python, or say which package of the system is missing."""
    if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        sys.exit(
            "This Python cannot make virtual environments. On Debian or Ubuntu, run this first:\n\n"
            "    sudo apt install python3-venv\n\n"
            f"(or python{version}-venv, when this is not the system's own Python)"
        )
    say(f"Making {VENV.name} with Python {sys.version.split()[0]} ...")
    shutil.rmtree(VENV, ignore_errors=True)
    done = subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False)
    if done.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(f"Making {VENV.name} did not work; the message above says why.")


def stamp_of(extra: str) -> Path:
    """The file that says for which inputs `extra` was installed."""
    return VENV / f".ready{extra.strip('[]') and '-' + extra.strip('[]')}"


def read(path: Path) -> str:
    """The file's text; empty when there is none."""
    return path.read_text() if path.is_file() else ""


def inputs() -> str:
    """A figure that changes whenever the installation must."""
    files = (ROOT / "pyproject.toml", ROOT / "constraints.txt")
    content = b"\0".join(file.read_bytes() for file in files)
    return hashlib.sha256(content + f"{sys.version} {ROOT}".encode()).hexdigest()


def check() -> None:
    """Run every check, say how each went, and fail if one did."""
    ensure("[dev]")
    with tempfile.TemporaryDirectory(prefix="storefront-check-") as folder:
        sqlite = development(folder, f"sqlite:///{folder}/check.db")
        tool = tool_environment()
        passed = [
            attempt("ruff check", ["ruff", "check", "."], tool),
            attempt("ruff format", ["ruff", "format", "--check", "."], tool),
            attempt("mypy", ["mypy"], tool),
            attempt("import contracts", ["lint-imports"], tool),
            attempt("migrations, SQLite", ["flask", "--app", "wsgi", "db", "upgrade"], sqlite),
            attempt("models, SQLite", ["flask", "--app", "wsgi", "db", "check"], sqlite),
            attempt("both on PostgreSQL", [str(PYTHON), "-m", "tests.support.postgres"], sqlite),
        ]
    failed = passed.count(False)
    sys.exit(f"{failed} of {len(passed)} checks failed." if failed else 0)


def translate() -> None:
    """Collect the words of the sources, add new ones to each language's file, and compile the files."""
    ensure("[dev]")
    folder = ROOT / "shop" / "translations"
    with tempfile.TemporaryDirectory(prefix="storefront-words-") as scratch:
        template = f"{scratch}/messages.pot"
        extract = ["-F", "pyproject.toml", "-k", "lazy_gettext", "--add-location=file"]
        update = [
            "--no-fuzzy-matching",
            "--ignore-obsolete",
            "--ignore-pot-creation-date",
            "-w",
            "100",
        ]
        for command in (
            ["-q", "extract", *extract, "-o", template, "."],
            ["-q", "update", "-i", template, "-d", str(folder), *update],
            ["-q", "compile", "-d", str(folder)],
        ):
            subprocess.run([str(VENV / "bin" / "pybabel"), *command], cwd=ROOT, check=True)
    for path in sorted(folder.rglob("*.po")):
        missing = path.read_text("utf-8").count('msgstr ""\n\n')
        say(f"{path.relative_to(ROOT)}: {missing or 'nothing'} left to translate")


def development(folder: str, database: str) -> dict[str, str]:
    """The environment of a shop that owns only `folder`."""
    own = {"SHOP_DEVELOPMENT": "1", "SHOP_DATA_DIR": folder, "DATABASE_URL": database}
    return {**tool_environment(), **own}


def attempt(name: str, command: list[str], environment: dict[str, str]) -> bool:
    """Run one check and print a line for it; what it printed follows only when it failed."""
    started = time.monotonic()
    program = shutil.which(command[0], path=environment["PATH"]) or command[0]
    done = subprocess.run(
        [program, *command[1:]],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    passed = done.returncode == 0
    say(f"{'ok  ' if passed else 'FAIL'}  {name:<20} {time.monotonic() - started:5.1f} s")
    if not passed:
        say("      " + done.stdout.strip().replace("\n", "\n      "))
    return passed


def say(text: str) -> None:
    """Print now, also into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
