"""Batches on Dask: a cluster that is there, or one of this machine that is started for the sweep."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from strategykit.errors import ConfigError
from strategykit.sweep.local import TRIES, Batch, what_is_left
from strategykit.sweep.work import Outcome, as_plain, run_plain

__all__ = ["run_on_dask"]

_WITHIN: Final = 30
"""Seconds for a scheduler to answer."""


def run_on_dask(
    batches: Sequence[Batch],
    told: Callable[[Batch, list[Outcome]], None],
    *,
    address: str | None = None,
    processes: int = 1,
    tries: int = TRIES,
) -> None:
    """Run batches on workers of Dask, which see the data and the strategy's file under the same names as we do.

    A worker that dies loses its batch, and all that were waiting at it, of which Dask doesn't tell it apart. These are
    run again when the others are done, one at a time, and one that kills its worker then in halves, down to the set
    which does it. After `tries` deaths that is told of the set.

    Args:
        batches: What is to be run.
        told: Takes each batch and what it came to.
        address: Of a scheduler, ``"host:port"``; None: a cluster of this machine.
        processes: Of that cluster.
        tries: Times that a set is begun, where its worker dies each time; at least 2, as the first tells little.

    Raises:
        ConfigError: Dask isn't installed, or no scheduler answers there.
    """
    try:
        distributed: Any = import_module("distributed")  # It has no types.
    except ImportError as exc:
        raise ConfigError(f"--on dask needs {exc.name}: pip install 'strategykit[sweep]'") from exc
    with _client(distributed, address, processes) as client:

        def begin(batch: Batch) -> Any:
            return client.submit(run_plain, as_plain(batch.task), batch.sets, pure=False)

        futures, suspects = {begin(batch): batch for batch in batches}, deque[Batch]()
        for future in distributed.as_completed(futures):
            batch = futures[future]
            if not _taken(future, batch, told, distributed.KilledWorker):
                suspects.append(batch)
            future.release()
        while suspects:
            batch = suspects.popleft()
            if not _taken(begin(batch), batch, told, distributed.KilledWorker):
                suspects.extendleft(reversed(what_is_left(batch, told, tries)))


def _taken(future: Any, batch: Batch, told: Callable[[Batch, list[Outcome]], None], killed: type[Exception]) -> bool:
    """Tell what a batch came to; False if it died with its worker, which is counted."""
    try:
        rows = future.result()
    except killed as exc:
        batch.tries += 1 + int(getattr(exc, "allowed_failures", 0))
        return False
    told(batch, [Outcome(**row) for row in rows])
    return True


@contextmanager
def _client(distributed: Any, address: str | None, processes: int) -> Generator[Any]:
    settings = {"distributed.scheduler.allowed-failures": 0, "distributed.admin.log-format": "%(message)s"}
    with import_module("dask").config.set(settings):
        if address is not None:
            try:
                client = distributed.Client(f"tcp://{address}", timeout=_WITHIN)
            except (OSError, ValueError) as exc:
                raise ConfigError(f"--on dask://{address}: no scheduler answers there: {exc}") from exc
            with client:
                yield client
            return
        with (
            # Its scheduler serves HTTP in any case: at whichever port is free, not at one that another sweep may have.
            distributed.LocalCluster(
                n_workers=processes,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",
                silence_logs=50,
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client
