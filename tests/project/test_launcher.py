"""`./chandler`: what it makes of its surroundings."""

import os
import subprocess

from tests.project.tree import ROOT


def test_what_was_compiled_is_kept_though_the_surroundings_forbid_it(tmp_path):
    """Each service that is started anew would compile for five seconds otherwise."""
    environ = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPYCACHEPREFIX": str(tmp_path),
        "CHANDLER_DATA": str(tmp_path / "data"),
    }

    subprocess.run(
        [ROOT / "chandler", "status"], env=environ, capture_output=True, check=False, timeout=60
    )

    kept = {path.name.partition(".")[0] for path in tmp_path.rglob("*.pyc")}
    assert {"topology", "settings"} <= kept
