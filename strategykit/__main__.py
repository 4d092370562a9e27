"""The entry of the program: ``strategykit``, and ``python -m strategykit``. It loads everything else by itself."""

import gc
import os
import signal
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line and give the exit code; Ctrl-C at any moment leaves no traceback.

    While Python loads the program, and once there is nothing left to do, Ctrl-C ends the process as it ends any other.
    Between, it is the commands' own.
    """
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # A background job may have it ignored.
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # Started with it closed, as by ``>&-``: what would be told goes nowhere.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
    from strategykit.cli import main as run_command

    try:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return run_command()
    except KeyboardInterrupt:  # Just before or just after the command.
        return 128 + signal.SIGINT
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BrokenPipeError:  # Nobody reads it any more: were it left to Python, the exit code would be 120.
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        gc.freeze()  # As it exits, Python would look once more through all that was loaded: 0.1 to 0.5 s.
        if ours:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
