"""Pictures on a terminal, and ``ledgit show RUN:PATH``."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

import ledgit
from ledgit.artifacts import preview
from ledgit.artifacts.previews import pictures
from ledgit.cli import graphics

Cli = Callable[..., Any]
FORMATS = {"png": "PNG", "jpeg": "JPEG", "gif": "GIF", "webp": "WebP", "bmp": "BMP"}


def drawn(kind: str = "png", size: tuple[int, int] = (60, 40), mode: str = "RGB") -> bytes:
    """A picture with a red left half, a blue right half."""
    picture = Image.new("RGB", size, (255, 0, 0))
    ImageDraw.Draw(picture).rectangle((size[0] // 2, 0, *size), fill=(0, 0, 255))
    stream = io.BytesIO()
    picture.convert(mode).save(stream, format=kind.upper())
    return stream.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_pictures_are_measured_by_their_headers(kind: str) -> None:
    """Of every format, as Pillow writes it."""
    data = drawn(kind, (61, 40))

    found = preview(f"a.{kind}", data)
    assert ("picture", f"a.{kind} · {FORMATS[kind]} · 61 × 40") == (found.kind, found.title.rpartition(" · ")[0])
    assert found.picture is not None
    assert (kind, 61, 40) == (found.picture.format, found.picture.width, found.picture.height)


def test_webp_without_loss_is_measured_too() -> None:
    """It has another header; and so has one with transparency."""
    for mode, more in (("RGB", {"lossless": True}), ("RGBA", {}), ("RGBA", {"lossless": True})):
        stream = io.BytesIO()
        Image.new(mode, (300, 7)).save(stream, format="WEBP", **more)
        assert ("webp", 300, 7) == pictures.measure(stream.getvalue())


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ('<svg width="10" height="20.4px">', (10, 20)),
        ('<?xml version="1.0"?>\n<!-- a > b -->\n<svg xmlns="x" viewBox="0 0 30 40">', (30, 40)),
        ('<svg width="100%" height="100%" viewBox="0 0 3 4">', (3, 4)),
        ("<svg >", (0, 0)),
    ],
)
def test_svg_is_measured_without_being_parsed(text: str, size: tuple[int, int]) -> None:
    """What XML can do to a parser is not asked for."""
    assert ("svg", *size) == pictures.measure(text.encode())


def test_a_picture_is_made_small() -> None:
    """Its colours in cells of two pixels, and its dots."""
    found = preview("a.png", drawn(), width=20, height=10)

    assert found.picture is not None
    rows = found.picture.cells
    assert (7, 20) == (len(rows), len(rows[0]))
    assert (((255, 0, 0), (255, 0, 0)), ((0, 0, 255), (0, 0, 255))) == (rows[3][2], rows[3][17])
    assert 0 < len(found.lines) <= 10
    assert all(0x2800 <= ord(char) < 0x2900 for line in found.lines for char in line)


def test_a_picture_that_claims_to_be_huge_is_not_decoded() -> None:
    """Its size is shown, and that is all."""
    data = bytearray(drawn())
    data[16:24] = (60_000).to_bytes(4, "big") * 2

    found = preview("a.png", bytes(data))
    assert ("a.png · PNG · 60000 × 60000", ()) == (found.title.rpartition(" · ")[0], found.lines)


def test_transparent_pictures_stand_on_white() -> None:
    """As plots that were saved for a page."""
    stream = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(stream, format="PNG")

    found = preview("a.png", stream.getvalue())
    assert found.picture is not None
    assert ((255, 255, 255), (255, 255, 255)) == found.picture.cells[0][0]


def test_a_plot_of_matplotlib_keeps_its_lines() -> None:
    """They are thinner than a dot."""
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 3, 2])
    for kind in ("png", "jpeg"):
        stream = io.BytesIO()
        figure.savefig(stream, format=kind)
        found = preview(f"a.{kind}", stream.getvalue(), 60, 14)
        filled = sum(char != "\u2800" for line in found.lines for char in line)
        assert 60 < filled < 400


@pytest.mark.parametrize(
    ("environ", "how"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color"}, "blocks"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "blocks"),
        ({"TERM": "tmux-256color", "TMUX": "x", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({"TERM": "xterm"}, "dots"),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, "dots"),
        ({"TERM": "dumb", "LEDGIT_GRAPHICS": "kitty"}, "dots"),
        ({"TERM": "xterm", "LEDGIT_GRAPHICS": "sixel"}, "sixel"),
        ({}, "dots"),
    ],
)
def test_the_environment_says_what_the_terminal_can(environ: dict[str, str], how: str) -> None:
    """And nothing is ever sent to what is no terminal."""
    assert how == graphics.protocol(environ)
    assert "dots" == graphics.protocol(environ, terminal=False)
    assert "dots" == graphics.protocol(environ, color=False)


def text_of(how: str, data: bytes, name: str = "a.png", columns: int = 20, lines: int = 10) -> str:
    return graphics.picture_text(preview(name, data, columns, lines), io.BytesIO(data), how, columns, lines)


def test_kittys_protocol_carries_a_png_in_pieces() -> None:
    """Decoded and written anew; at most 4,096 characters a piece."""
    import random

    noise = Image.frombytes("RGB", (100, 100), random.Random(1).randbytes(30_000))
    stream = io.BytesIO()
    noise.save(stream, format="PNG")
    sent = text_of("kitty", stream.getvalue())

    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", sent)
    assert sent == "".join(f"\x1b_G{keys};{piece}\x1b\\" for keys, piece in pieces) + "\n"
    assert "a=T,f=100,q=2,m=1" == pieces[0][0]
    assert ["m=1"] * (len(pieces) - 2) + ["m=0"] == [keys for keys, _ in pieces[1:]]
    assert all(len(piece) <= 4096 for _, piece in pieces)
    picture = Image.open(io.BytesIO(base64.b64decode("".join(piece for _, piece in pieces))))
    assert noise.tobytes() == picture.tobytes()


def test_iterms_protocol_carries_a_png() -> None:
    """A wide one as wide as there is room, a high one as high."""
    wide, high = (text_of("iterm2", drawn(size=size)) for size in ((600, 100), (100, 600)))

    found = re.fullmatch(r"\x1b\]1337;File=inline=1;size=(\d+);width=20;preserveAspectRatio=1:(.+)\x07\n", wide)
    assert found is not None
    data = base64.b64decode(found[2])
    assert (int(found[1]), (600, 100)) == (len(data), Image.open(io.BytesIO(data)).size)
    assert ";height=10;" in high


def test_sixels_are_the_picture() -> None:
    """Read back by a reader of our own: red on the left, blue on the right."""
    sent = text_of("sixel", drawn(size=(20, 13)))

    assert sent.startswith('\x1bP0;1q"1;1;20;13')
    assert sent.endswith("\x1b\\\n")
    colors = {int(number): rgb for number, rgb in re.findall(r"#(\d+);2;(\d+;\d+;\d+)", sent)}
    body = re.sub(r"#\d+;2;\d+;\d+;\d+", "", sent.partition("13")[2].removesuffix("\x1b\\\n"))
    pixels: dict[tuple[int, int], str] = {}
    for band, line in enumerate(body.removesuffix("-").split("-")):
        for one in line.split("$"):
            found = re.match(r"#(\d+)", one)
            assert found is not None
            x = 0
            for count, char in re.findall(r"(?:!(\d+))?([?-~])", one[found.end() :]):
                for _ in range(int(count or 1)):
                    bits = ord(char) - 63
                    pixels.update({(x, band * 6 + bit): colors[int(found[1])] for bit in range(6) if bits >> bit & 1})
                    x += 1
    assert {(x, y): "100;0;0" if x < 10 else "0;0;100" for x in range(20) for y in range(13)} == pixels


def test_blocks_have_the_colours_the_terminal_knows() -> None:
    """True ones, or the nearest of 256."""
    found = preview("a.png", drawn(size=(4, 2)), 20, 10)

    assert "\x1b[38;2;255;0;0;48;2;255;0;0m▀▀\x1b[38;2;0;0;255;48;2;0;0;255m▀▀\x1b[0m\n" == graphics.blocks(
        found, true_color=True
    )
    assert "\x1b[38;5;196;48;5;196m▀▀\x1b[38;5;21;48;5;21m▀▀\x1b[0m\n" == graphics.blocks(found, true_color=False)


@pytest.mark.parametrize("how", ["kitty", "iterm2", "sixel"])
def test_a_damaged_picture_is_not_sent(how: str) -> None:
    """What our decoder refuses is nothing for the terminal's."""
    assert "" == text_of(how, drawn()[:60])


# ------------------------------------------------------------------ the command


def test_show_prints_what_is_in_an_artifact(cli: Cli, repo: Path) -> None:
    """By option, or behind a colon as Git has it."""
    with ledgit.start_run(run_name="owl"):
        ledgit.log_text("name,loss\na,0.5\n", "tables/t.csv")
        ledgit.log_text("\x1b[2Jhi\n", "note.txt")

    expected = "t.csv · CSV · 1 row · 2 columns · 16 B\nname  loss\na      0.5\n"
    assert expected == cli("show", "owl", "--artifact", "tables/t.csv").out
    assert expected == cli("show", "owl:tables/t.csv").out
    assert "note.txt · text · 1 line · 7 B\n\\x1b[2Jhi\n" == cli("show", "owl:note.txt").out
    assert {"title": "t.csv · CSV · 1 row · 2 columns · 16 B", "kind": "table", "picture": None} == {
        key: value for key, value in cli("show", "owl:tables/t.csv", "--json").json.items() if key != "lines"
    }


def test_show_lists_what_is_in_a_folder(cli: Cli, repo: Path) -> None:
    """Also all a run has."""
    with ledgit.start_run(run_name="owl"):
        ledgit.log_text("a", "plots/a.txt")
        ledgit.log_text("bc", "plots/deep/b.txt")

    assert "plots · folder · 2 files · 3 B\n1 B  a.txt\n2 B  deep/b.txt\n" == cli("show", "owl:plots").out
    assert "owl · folder · 2 files · 3 B" == cli("show", "owl:").out.splitlines()[0]


def test_show_draws_a_picture_in_dots_where_there_is_no_terminal(cli: Cli, repo: Path) -> None:
    """No escape sequence goes into a file."""
    Path("a.png").write_bytes(drawn())
    with ledgit.start_run(run_name="a:b"):  # a name may have a colon itself
        ledgit.log_artifact("a.png")

    out = cli("show", "a:b:a.png").out
    assert out.startswith("a.png · PNG · 60 × 40 · ")
    assert "\x1b" not in out
    assert {"width": 60, "height": 40} == cli("show", "a:b", "--artifact", "a.png", "--json").json["picture"]


def test_show_says_what_is_not_there(cli: Cli, repo: Path) -> None:
    """The run, or the artifact."""
    with ledgit.start_run(run_name="owl"):
        ledgit.log_text("a", "plots/a.txt")

    assert "plots/a.txt" in cli("show", "owl:a.txt", code=3).err
    assert "'fox:a.txt'" in cli("show", "fox:a.txt", code=3).err
