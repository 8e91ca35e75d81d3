"""Executors: the one seam through which work may run somewhere else."""

from radfusion.execution.executors.base import EXECUTORS, Executor, Outcome, executor_named
from radfusion.execution.executors.processes import Processes
from radfusion.execution.executors.serial import Serial

__all__ = ["EXECUTORS", "Executor", "Outcome", "Processes", "Serial", "executor_named"]
