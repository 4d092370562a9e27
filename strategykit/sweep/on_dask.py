"""Batches on Dask: a cluster that is there, or one of this machine that is started for the sweep."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from strategykit.errors import ConfigError
from strategykit.sweep.local import TRIES, Batch, why_lost
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
) -> None:
    """Run batches on workers of Dask, which see the data and the strategy's file under the same names as we do.

    A worker that dies loses its batch, and Dask gives it to another one, `TRIES` times; then it is told what became of
    its sets.

    Args:
        batches: What is to be run.
        told: Takes each batch and what it came to.
        address: Of a scheduler, ``"host:port"``; None: a cluster of this machine.
        processes: Of that cluster.

    Raises:
        ConfigError: Dask isn't installed, or no scheduler answers there.
    """
    try:
        distributed: Any = import_module("distributed")  # It has no types.
    except ImportError as exc:
        raise ConfigError(f"--on dask needs {exc.name}: pip install 'strategykit[sweep]'") from exc
    with _client(distributed, address, processes) as client:
        futures = {client.submit(run_plain, as_plain(batch.task), batch.sets, pure=False): batch for batch in batches}
        for future in distributed.as_completed(futures):
            batch = futures[future]
            try:
                told(batch, [Outcome(**row) for row in future.result()])
            except distributed.KilledWorker:
                told(batch, why_lost(batch, f"its worker died {TRIES} times"))
            future.release()


@contextmanager
def _client(distributed: Any, address: str | None, processes: int) -> Generator[Any]:
    settings = {"distributed.scheduler.allowed-failures": TRIES - 1, "distributed.admin.log-format": "%(message)s"}
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
            distributed.LocalCluster(
                n_workers=processes, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client
