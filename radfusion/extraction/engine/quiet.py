"""One thread and no messages while third-party code computes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

__all__ = ["one_quiet_thread"]


@contextmanager
def one_quiet_thread() -> Iterator[None]:
    """One thread (parallelism is the executor's), no log lines of PyRadiomics, no warnings on flat regions.

    Several threads of linear algebra on small matrices took ten times as long on a busy machine.
    """
    import radiomics  # sets the level of its logger when it is first imported
    import SimpleITK
    from threadpoolctl import threadpool_limits

    logger, process = logging.getLogger(radiomics.__name__), SimpleITK.ProcessObject
    level, threads = logger.level, process.GetGlobalDefaultNumberOfThreads()
    logger.setLevel(logging.CRITICAL + 1)
    process.SetGlobalDefaultNumberOfThreads(1)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), threadpool_limits(1, user_api="blas"):
            warnings.simplefilter("ignore")
            yield
    finally:
        process.SetGlobalDefaultNumberOfThreads(threads)
        logger.setLevel(level)
