"""A process that has torch and Transformers imported, and runs each `porting` command in a fork of itself."""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from importlib import import_module

IMPORTED = ("porting.verification", "porting.cli", "porting.weights", "transformers.models.bert.modeling_bert")


def main() -> None:
    """Run a command for each line of stdin, ``[arguments, folder, file for the output]``, and answer its status."""
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    for name in IMPORTED:
        import_module(name)
    for line in sys.stdin:
        arguments, folder, output = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(arguments, folder, output)
        _, status, used = os.wait4(child, 0)
        print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, flush=True)  # noqa: T201 - the answer


def _run(arguments: list[str], folder: str, output: str) -> None:
    """Run one command in this process, and end it."""
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(folder)
    sys.argv = ["porting", *arguments]
    status = 0
    try:
        runpy.run_module("porting", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
