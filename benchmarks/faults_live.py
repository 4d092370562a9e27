"""A campaign of live runs under random faults: `make faults [N=20] [SEED=1]`.

Each run is a process of its own: four strategies with many orders in flight, on real sockets, against a simulated venue
that is made to do everything wrong that it can do wrong. Afterwards our books are compared with the venue's, the tape
is verified and run again, and all output is searched for secrets. A seed gives the same schedule again, though not the
same interleaving.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Final

import attrs
import msgspec

from benchmarks.faults_check import find_secrets

__all__ = ["Verdict", "main", "run_seed"]

WITHIN: Final = 150.0
"""Seconds for one run; a run that takes longer hangs."""


SHOWN: Final = 6
"""Lines a run."""


@attrs.frozen
class Verdict:
    """What became of one run."""

    seed: int
    faults: int
    found: list[str]
    seconds: float


def run_seed(seed: int, folder: Path) -> Verdict:
    """Run one schedule in a process; its tape stays in `folder` if something is wrong."""
    here = folder / f"seed-{seed}"
    command = [sys.executable, "-W", "always", "-m", "benchmarks.faults_run", str(seed), str(here)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=WITHIN)
        except subprocess.TimeoutExpired:
            process.terminate()
            out, err = process.communicate(timeout=10)
            return Verdict(seed, 0, [f"hangs: {err.decode('utf-8', 'replace')[-2000:]}"], WITHIN)
    took = time.monotonic() - began
    found = [f"{what} is in the output" for what in find_secrets(out + err)]
    try:
        told = msgspec.json.decode(out)
    except msgspec.DecodeError:
        return Verdict(seed, 0, [*found, f"exit {process.returncode}: {err.decode('utf-8', 'replace')[-4000:]}"], took)
    if err.strip():
        found.append(f"said on stderr: {err.decode('utf-8', 'replace')[-2000:]}")
    found += told["found"]
    if not found:
        rmtree(here)
    return Verdict(seed, told["faults"], found, took)


def main() -> int:
    """Run the campaign and give the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, default=20, help="how many runs")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next has the next")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--keep", type=Path, default=None, help="where tapes of runs with violations stay")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="strategykit-faults-"))
    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for verdict in pool.map(partial(run_seed, folder=folder), range(options.seed, options.seed + options.n)):
            verdicts.append(verdict)
            word = "ok" if not verdict.found else f"{len(verdict.found)} VIOLATIONS"
            print(f"seed {verdict.seed}: {verdict.faults} faults, {verdict.seconds:.1f} s, {word}", flush=True)
            for line in verdict.found[:SHOWN]:
                print(f"  {line}", flush=True)
    wrong = sum(len(verdict.found) for verdict in verdicts)
    print(f"faults: {len(verdicts)} runs, {sum(verdict.faults for verdict in verdicts)} faults, {wrong} violations")
    if wrong:
        print(f"their tapes are in {folder}")
    elif options.keep is None:
        rmtree(folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
