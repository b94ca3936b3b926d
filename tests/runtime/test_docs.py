"""The example of `docs/runtime.md` runs as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_example_of_the_document_does_what_its_comments_say(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "runtime.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(example)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    first, crash, third = done.stdout.splitlines()
    assert (first, third) == ("2", "3")
    assert crash.startswith("sum ended with the request in hand: ValueError: only upwards")
