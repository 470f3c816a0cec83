"""Walk through the terminal UI with real keys, in a real terminal (tmux), and save a picture of each main screen.

    python docs/tour.py DEMO [FOLDER]

DEMO is a folder that ``ledgit demo`` made, after ``ledgit sweep -P trees=10,40,160 -P depth=4,8,12 --metric accuracy
--direction maximize -- python train.py --trees {trees} --depth {depth}``; pictures go to FOLDER (docs/images).
``ctrl+g`` takes them, so they are what a person can save too.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.tui.terminal import Terminal  # noqa: E402

LARGEST = 80 * 1024
#: (picture, keys from the screen before it, what must stand on the screen then).
WALK: list[tuple[str, list[str], str]] = [
    ("runs", [], "accuracy"),
    ("filter", ["/", "=metrics.accuracy > 0.97", "Enter"], "0.97"),
    ("diff", ["Escape", "g", "j", "Space", "j", "Space", "d"], "change"),
    ("run", ["Escape", "M", "g", "j", "Enter"], "Overview"),
    ("charts", ["]"], "step"),
    ("branches", ["2"], "commit"),
    ("models", ["3"], "digits"),
    ("sweeps", ["4"], "weep"),
    ("sweep", ["Enter"], "est"),
    ("compare", ["5"], "Scatter"),
    ("help", ["1", "?"], "What the keys do here"),
]


def tour(demo: Path, pictures: Path) -> None:
    """Take every step of the walk and save its picture."""
    pictures.mkdir(parents=True, exist_ok=True)
    home = tempfile.mkdtemp(prefix="ledgit-tour-")
    command = [sys.executable, "-m", "ledgit", "ui", "--theme", "ledgit-dark"]
    environ = {"HOME": home, "XDG_CONFIG_HOME": home, "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT / "src")}
    with Terminal(command, 120, 32, cwd=demo, environ=environ) as terminal:
        for name, keys, text in WALK:
            for key in keys:
                if key.startswith("="):
                    terminal.type(key[1:])
                else:
                    terminal.keys(key)
                _steady(terminal)  # an escape and a letter at once are another key
            terminal.wait_for(text)
            _steady(terminal)
            _picture(terminal, demo, pictures / f"ui-{name}.svg")
        terminal.keys("Escape", "C-c")
        terminal.wait_for("ended with 0")
    shutil.rmtree(home)


def _steady(terminal: Terminal) -> None:
    """Wait until the screen stands still."""
    before = ""
    while (now := terminal.screen()) != before or "…" in now.splitlines()[-2:]:
        before = now
        time.sleep(0.4)


def _picture(terminal: Terminal, demo: Path, target: Path) -> None:
    """Have the UI save its screen (ctrl+g), and move the file to *target*."""
    for old in demo.glob("ledgit-ui-*.svg"):
        old.unlink()
    terminal.keys("C-g")
    while not (found := list(demo.glob("ledgit-ui-*.svg"))) or not found[0].read_text().rstrip().endswith("</svg>"):
        time.sleep(0.05)
    terminal.wait_for("Saved ")
    terminal.wait_gone("Saved ")
    text = found[0].read_text()
    found[0].unlink()
    # The font comes from the reader's machine, not from the web.
    start = text.find("@font-face")
    while start >= 0:
        text = text[:start] + text[text.index("}", start) + 1 :]
        start = text.find("@font-face")
    target.write_text(text)
    size = os.path.getsize(target)
    assert size <= LARGEST, f"{target.name} has {size:,} bytes"


if __name__ == "__main__":
    tour(Path(sys.argv[1]).resolve(), Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "images")
