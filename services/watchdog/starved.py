"""How long a process has waited for a core: what it did not do meanwhile is no fault of its own."""

from pathlib import Path


def waited_s(pid: int) -> float:
    """Seconds that its main thread could have run and was not let to, since it began.

    0 where the kernel doesn't count them, or the process is gone. Source: sched-stats of the
    kernel's documentation, /proc/PID/schedstat, the second figure, in ns.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
